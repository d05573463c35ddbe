import type { ComponentType, ReactNode } from "react";
import { Link, useParams } from "wouter";
import { may, useViewer } from "../app/viewer.ts";
import type { Role } from "../gql/graphql.ts";
import { Empty } from "./Empty.tsx";
import { Page } from "./Page.tsx";
import { useCurrentShown } from "./useCurrentShown.ts";

export interface Part {
  path: string;
  name: string;
  show: ComponentType;
  role: Role;
  scopes?: readonly string[];
}

interface Props {
  title: string;
  path: string;
  parts: Part[];
  actions?: ReactNode;
}

/** A page of several parts, one of which is shown: those that the viewer may see. */
export function Parts({ title, path, parts, actions }: Props) {
  const viewer = useViewer();
  const allowed = parts.filter(({ role, scopes = [] }) => may(viewer, role, ...scopes));
  const { part = allowed[0]?.path } = useParams<{ part?: string }>();
  const Current = allowed.find((each) => each.path === part)?.show;
  const row = useCurrentShown(part);
  return (
    <Page title={title} actions={actions}>
      {allowed.length > 1 && (
        <nav ref={row} className="subpages" aria-label={`Parts of ${title}`}>
          {allowed.map((each) => (
            <Link key={each.path} href={`${path}/${each.path}`} aria-current={each.path === part ? "page" : undefined}>{each.name}</Link>
          ))}
        </nav>
      )}
      {Current ? <Current /> : <Empty title="There is no such page for you.">Choose one above, or ask an administrator for another role.</Empty>}
    </Page>
  );
}
