/** Operations to start from: those whose whole answers the tests of the gateway know, and some that
 * show live data. */

export interface Example {
  group: string;
  name: string;
  query: string;
}

const GOLDEN: Record<string, string> = import.meta.glob("../../../../tests/golden/*/*.graphql", {
  query: "?raw",
  import: "default",
  eager: true,
});

const LIVE: Example[] = [
  live("Watch agents", "agentStatus", "agents { key status lastActive }\n    removedKeys"),
  live("Watch events", "events", "events { timestamp severity eventType source payload }"),
  live("Watch dreams", "dreams", "dreams { title status }\n    removedIds"),
];

const WRITE: Example[] = [
  {
    group: "Write",
    name: "Report the status of an agent",
    query: `mutation Report {
  reportAgentStatus(input: { agentKey: "prover", status: RUNNING }) {
    storedId
    errors { code message field }
  }
}
`,
  },
];

export const EXAMPLES: Example[] = [...Object.entries(GOLDEN).map(golden), ...LIVE, ...WRITE];

function golden([path, text]: [string, string]): Example {
  const [group = "", file = ""] = path.split("/").slice(-2);
  const query = text.replace(/^#.*\n/, ""); // the number of statements
  return { group: inWords(group), name: inWords(file.replace(".graphql", "")), query };
}

function live(name: string, field: string, selection: string): Example {
  const operation = name.replace(/ (\w)/g, (_, letter: string) => letter.toUpperCase());
  const query = `subscription ${operation} {\n  ${field} {\n    kind\n    cursor\n    isStale\n    ${selection}\n  }\n}\n`;
  return { group: "Live", name, query };
}

function inWords(name: string): string {
  const words = name.replaceAll("_", " ").replace(/\bai\b/g, "AI");
  return words[0]!.toUpperCase() + words.slice(1);
}
