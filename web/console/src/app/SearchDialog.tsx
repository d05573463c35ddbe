import * as Dialog from "@radix-ui/react-dialog";
import { type KeyboardEvent, useEffect, useId, useState } from "react";
import { useQuery } from "urql";
import { useLocation } from "wouter";
import { problemOf } from "../api/problems.ts";
import { graphql } from "../gql/index.ts";
import type { SearchQuery } from "../gql/graphql.ts";
import { ProblemNote } from "../ui/ProblemNote.tsx";
import { useFocusReturn } from "../ui/useFocusReturn.ts";
import { modelPath } from "../pages/models/modelPath.ts";

const SEARCH = graphql(`
  query Search($text: String!) {
    search(text: $text, first: 20) {
      nodes {
        __typename
        ... on Dream { id title category }
        ... on AiModel { id provider name displayName }
        ... on Agent { id key status }
        ... on User { id email role }
      }
    }
  }
`);

const PAUSE = 200; // milliseconds without a key, after which the text is searched

/** Finds dreams, models, agents and users; arrows choose one, Enter opens it. */
export function SearchDialog({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [chosen, choose] = useState(0);
  const wanted = useSettled(text.trim(), PAUSE);
  const [{ data, error, fetching }] = useQuery({ query: SEARCH, variables: { text: wanted }, pause: wanted === "" });
  const [, go] = useLocation();
  const list = useId();
  const returnFocus = useFocusReturn();
  useEffect(() => choose(0), [data]);
  const found = wanted === "" ? [] : (data?.search.nodes ?? []).map(entryOf);
  const current = found[chosen];
  const open = (path: string) => {
    onClose();
    go(path);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && found.length > 0) {
      event.preventDefault();
      choose((chosen + step + found.length) % found.length);
    }
    if (event.key === "Enter" && current) open(current.path);
  };
  return (
    <Dialog.Root open onOpenChange={(isOpen) => isOpen || onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="drawer-back" />
        <Dialog.Content className="palette" aria-describedby={undefined} onCloseAutoFocus={returnFocus}>
          <Dialog.Title className="hidden-text">Search</Dialog.Title>
          <input
            role="combobox"
            aria-label="Search dreams, models, agents and users"
            aria-expanded={found.length > 0}
            aria-controls={list}
            aria-activedescendant={current && `${list}-${chosen}`}
            placeholder="Search dreams, models, agents and users"
            autoComplete="off"
            maxLength={200}
            autoFocus
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onKeyDown}
          />
          {error && <ProblemNote problem={problemOf(error)} />}
          {found.length > 0 && (
            <ul id={list} role="listbox" aria-label="Found">
              {found.map(({ key, kind, name, about, path }, index) => (
                <li
                  key={key}
                  id={`${list}-${index}`}
                  ref={(element) => void (index === chosen && element?.scrollIntoView({ block: "nearest" }))}
                  role="option"
                  aria-selected={index === chosen}
                  onPointerMove={() => choose(index)}
                  onClick={() => open(path)}
                >
                  <span>{name}</span>
                  <small>{[kind, about].filter(Boolean).join(" · ")}</small>
                </li>
              ))}
            </ul>
          )}
          {wanted !== "" && !fetching && data && found.length === 0 && <p role="status">Nothing is called like this.</p>}
          <p><kbd>↑</kbd> <kbd>↓</kbd> choose, <kbd>Enter</kbd> opens, <kbd>Esc</kbd> closes</p>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

interface Entry {
  key: string;
  kind: string;
  name: string;
  about: string;
  path: string;
}

function entryOf(node: SearchQuery["search"]["nodes"][number]): Entry {
  switch (node.__typename) {
    case "Dream":
      return { key: node.id, kind: "Dream", name: node.title, about: node.category.toLowerCase(), path: `/dreams/${node.id}` };
    case "AiModel":
      return { key: node.id, kind: "Model", name: node.displayName, about: node.provider, path: modelPath(node.provider, node.name) };
    case "Agent":
      return { key: node.id, kind: "Agent", name: node.key, about: node.status.toLowerCase(), path: `/agents/${encodeURIComponent(node.key)}` };
    case "User":
      return { key: node.id, kind: "User", name: node.email ?? node.id, about: node.role?.toLowerCase() ?? "", path: `/admin/users?email=${encodeURIComponent(node.email ?? "")}` };
  }
}

/** The value, once it has not changed for so many milliseconds. */
function useSettled(value: string, milliseconds: number): string {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
