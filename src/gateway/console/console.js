"use strict";

const $ = (id) => document.getElementById(id);

const EXAMPLES = {
  "Latest dreams": {
    query: `query LatestDreams($count: Int = 5) {
  dreams(first: $count) {
    nodes {
      title
      category
      status
      latestProgress {
        averageImpossibility
        bestScore
        improvementTrend
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
`,
    variables: '{ "count": 5 }',
  },
  "Search": {
    query: `query Search($words: String!) {
  dreams(search: $words, first: 10) {
    totalCount
    nodes {
      title
      description
      tags
    }
  }
}
`,
    variables: '{ "words": "write file" }',
  },
  "Models compared": {
    query: `query ModelsCompared($from: DateTime) {
  modelComparison(from: $from) {
    rows {
      provider
      model
      averageScore
      testCount
      totalCost
    }
  }
}
`,
    variables: '{ "from": "2020-01-01T00:00:00Z" }',
  },
  "Agents": {
    query: `query Agents {
  agents(first: 10) {
    nodes {
      key
      status
      lastActive
      isStale
    }
  }
}
`,
    variables: "",
  },
  "Watch agents": {
    query: `subscription WatchAgents {
  agentStatus {
    kind
    agents {
      key
      status
      isStale
    }
    removedKeys
    cursor
  }
}
`,
    variables: "",
  },
};

// Deep enough for a list of non-null items of a non-null list.
const TYPE_REF = `kind name ofType { kind name ofType { kind name ofType { kind name } } }`;
const INPUT = `name description defaultValue type { ${TYPE_REF} }`;
const INTROSPECTION = `query Introspection {
  __schema {
    queryType { name } mutationType { name } subscriptionType { name }
    types {
      kind name description
      fields(includeDeprecated: true) {
        name description isDeprecated deprecationReason
        args { ${INPUT} } type { ${TYPE_REF} }
      }
      inputFields { ${INPUT} }
      enumValues(includeDeprecated: true) { name description }
      possibleTypes { name }
    }
  }
}`;

// Asking. A subscription is answered by an event stream, every other operation by JSON.

const JSON_FIRST = "application/graphql-response+json, application/json, text/event-stream;q=0.5";

function post(body, signal) {
  const headers = { accept: JSON_FIRST, "content-type": "application/json" };
  return fetch("graphql", { method: "POST", headers, body: JSON.stringify(body), signal });
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

let following = null;

async function run() {
  if (following) return following.abort();
  const variables = $("variables").value.trim();
  if (variables && read(variables) === null) return show("bad", "The variables are not JSON.");
  show("", "Running…");
  following = new AbortController();
  label("Stop");
  try {
    const body = { query: $("query").value, ...(variables && { variables: read(variables) }) };
    await answer(body, following.signal);
  } catch (error) {
    const stopped = error.name === "AbortError";
    show(stopped ? "" : "bad", stopped ? "Stopped." : "The gateway does not answer.");
  } finally {
    following = null;
    label("Run");
  }
}

async function answer(body, signal) {
  const began = performance.now();
  const response = await post(body, signal);
  if (response.headers.get("content-type").startsWith("text/event-stream")) return follow(response);
  const text = await response.text();
  const errors = shown(text);
  const took = Math.round(performance.now() - began);
  show(errors || response.status >= 400 ? "bad" : "good", `${response.status} · ${took} ms${errors}`);
}

function shown(text) {
  const content = read(text);
  render(content === null ? text : JSON.stringify(content, null, 2));
  const errors = content?.errors?.length ?? 0;
  return errors ? ` · ${errors} ${errors === 1 ? "error" : "errors"}` : "";
}

// The newest message of a stream is shown; heartbeats only count.

async function follow(response) {
  let count = 0;
  for await (const { event, data } of events(response.body)) {
    if (event !== "next") continue;
    count += 1;
    const errors = isHeartbeat(read(data)) ? "" : shown(data);
    show(errors ? "bad" : "good", `${count} ${count === 1 ? "message" : "messages"}${errors}`);
  }
  show("", `Ended after ${count}.`);
}

function isHeartbeat(content) {
  return Object.values(content?.data ?? {}).some((update) => update?.kind === "HEARTBEAT");
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const blocks = (text + part.value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]);
      yield Object.fromEntries(lines);
    }
  }
}

function label(text) {
  $("run").firstChild.data = `${text} `;
}

function show(kind, text) {
  $("status").className = kind;
  $("status").textContent = text;
}

// The answer, coloured token by token; every character of it goes in as text, none as markup.

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/g;

function render(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(text.slice(end, match.index), coloured(match));
    end = match.index + match[0].length;
  }
  $("answer").replaceChildren(...parts, text.slice(end));
}

function coloured([whole, string, colon]) {
  if (!string) return element("span", { className: "number" }, whole);
  return element("span", { className: colon ? "key" : "string" }, whole);
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// The editor: Tab indents, Shift+Tab undoes it, Enter keeps the indent; Escape lets Tab leave.

let tabLeaves = false;

function edit(event) {
  if (event.key === "Escape") tabLeaves = true;
  else if (event.key === "Tab" && !tabLeaves) indent(event);
  else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) newline(event);
  else if (event.key !== "Shift" && event.key !== "Tab") tabLeaves = false;
}

function lineStart(area) {
  return area.value.lastIndexOf("\n", area.selectionStart - 1) + 1;
}

function indent(event) {
  event.preventDefault();
  const area = event.target;
  if (!event.shiftKey) return insert("  ");
  const start = lineStart(area);
  const at = area.selectionStart;
  if (!area.value.startsWith("  ", start)) return;
  area.setSelectionRange(start, start + 2);
  document.execCommand("delete");
  area.setSelectionRange(Math.max(start, at - 2), Math.max(start, at - 2));
}

function newline(event) {
  event.preventDefault();
  const area = event.target;
  const before = area.value.slice(lineStart(area), area.selectionStart);
  const opened = /[{[(]\s*$/.test(before) ? "  " : "";
  insert("\n" + before.match(/^\s*/)[0] + opened);
}

// Deprecated, and still the only way to change a text area without losing its undo history.
function insert(text) {
  document.execCommand("insertText", false, text);
}

// The schema.

let schema = null;
const trail = [];

async function loadSchema() {
  try {
    const answer = read(await (await post({ query: INTROSPECTION })).text());
    if (!answer?.data) throw new Error(answer?.errors?.[0]?.message ?? "no answer");
    schema = answer.data.__schema;
    schema.byName = new Map(schema.types.map((type) => [type.name, type]));
    home();
  } catch (error) {
    $("schema").replaceChildren(element("p", {}, `The schema cannot be shown: ${error.message}`));
  }
}

function home() {
  trail.length = 0;
  const roots = [schema.queryType, schema.mutationType, schema.subscriptionType].filter(Boolean);
  const types = schema.types.filter(({ name }) => !name.startsWith("__"));
  present(
    ...roots.map(({ name }) => entry(link(name), schema.byName.get(name).description)),
    element("h3", {}, `${types.length} types`),
    ...types.map((type) => entry(link(type.name), firstSentence(type.description))),
  );
}

function open(name) {
  trail.push(name);
  present(...page(schema.byName.get(name)));
  $("schema").focus();
}

function page(type) {
  const members = [...(type.fields ?? []), ...(type.inputFields ?? [])].map(member);
  const values = (type.enumValues ?? []).map((value) => entry(value.name, value.description));
  const possible = (type.kind === "OBJECT" ? [] : type.possibleTypes ?? []).map(({ name }) => entry(link(name)));
  const kind = element("p", {}, type.kind.toLowerCase().replace("_", " "));
  return [element("h3", {}, type.name), kind, element("p", {}, type.description ?? ""), ...members, ...values, ...possible];
}

function member(field) {
  const code = element("code", {}, field.name, ...argumentsOf(field), ": ", ...typeOf(field.type));
  if (field.defaultValue != null) code.append(` = ${field.defaultValue}`);
  const note = field.isDeprecated ? `Deprecated: ${field.deprecationReason} ` : "";
  return entry(code, note + (field.description ?? ""));
}

function argumentsOf({ args = [] }) {
  if (!args.length) return [];
  const listed = args.flatMap((arg) => [", ", `${arg.name}: `, ...typeOf(arg.type)]);
  return ["(", ...listed.slice(1), ")"];
}

function typeOf(type) {
  if (type.kind === "NON_NULL") return [...typeOf(type.ofType), "!"];
  if (type.kind === "LIST") return ["[", ...typeOf(type.ofType), "]"];
  return [link(type.name)];
}

function link(name) {
  return element("button", { className: "link", type: "button", onclick: () => open(name) }, name);
}

function entry(head, description) {
  return element("section", {}, head, element("p", {}, description ?? ""));
}

function firstSentence(text) {
  return (text ?? "").split(/(?<=\.)\s/)[0];
}

function present(...children) {
  const back = trail.length
    ? [element("button", { className: "link", type: "button", onclick: goBack }, "← back")]
    : ["What can be asked for"];
  $("trail").replaceChildren(...back);
  $("schema").replaceChildren(...children);
  $("schema").scrollTop = 0;
}

function goBack() {
  trail.pop();
  const name = trail.pop();
  if (name) open(name);
  else home();
}

function search() {
  const wanted = $("search").value.trim().toLowerCase();
  if (!schema) return;
  if (!wanted) return home();
  const found = schema.types.filter(({ name }) => !name.startsWith("__")).flatMap((type) => hits(type, wanted));
  trail.length = 0;
  present(element("h3", {}, `${found.length} found`), ...found.slice(0, 100));
}

function hits(type, wanted) {
  const members = [...(type.fields ?? []), ...(type.inputFields ?? []), ...(type.enumValues ?? [])];
  const named = members.filter(({ name }) => name.toLowerCase().includes(wanted));
  const entries = named.map(({ name, description }) =>
    entry(element("code", {}, link(type.name), `.${name}`), firstSentence(description)));
  if (type.name.toLowerCase().includes(wanted)) entries.unshift(entry(link(type.name), firstSentence(type.description)));
  return entries;
}

// A closed development gateway prints an address with a token: it is exchanged for a cookie, once.

async function signIn() {
  const address = new URL(location);
  const token = address.searchParams.get("token");
  if (!token) return;
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
  const headers = { "content-type": "application/json" };
  await fetch("session", { method: "POST", headers, body: JSON.stringify({ token }) });
}

// Start: what the address asks for, else what was here last, else the first example.

function fill({ query, variables }) {
  $("query").value = query;
  $("variables").value = variables;
}

function remembered() {
  const address = new URLSearchParams(location.search);
  if (address.get("query")) return { query: address.get("query"), variables: address.get("variables") ?? "" };
  return read(localStorage.getItem("console")) ?? Object.values(EXAMPLES)[0];
}

function remember() {
  const kept = { query: $("query").value, variables: $("variables").value };
  localStorage.setItem("console", JSON.stringify(kept));
}

for (const name of Object.keys(EXAMPLES)) $("examples").append(new Option(name));
fill(remembered());
$("examples").addEventListener("change", () => fill(EXAMPLES[$("examples").value]));
$("run").addEventListener("click", run);
$("search").addEventListener("input", search);
for (const area of [$("query"), $("variables")]) {
  area.addEventListener("keydown", edit);
  area.addEventListener("input", remember);
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
signIn().finally(loadSchema);
