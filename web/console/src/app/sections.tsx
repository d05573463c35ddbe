/** The sections of the console, and who sees them. */
import { lazy, type ComponentType } from "react";
import type { Role } from "../gql/graphql.ts";
import { may, type Viewer } from "./viewer.ts";

export interface Section {
  path: string;
  name: string;
  icon: string; // the path of a drawing, 20 × 20
  role?: Role;
  scopes?: readonly string[]; // all of which a key with scopes needs
}

export const SECTIONS: Section[] = [
  { path: "/", name: "Overview", icon: "M3 3h6v8H3zM11 3h6v5h-6zM11 10h6v7h-6zM3 13h6v4H3z" },
  { path: "/agents", name: "Agents", icon: "M5 7h10v8H5zM10 7V4M8 11h0M12 11h0M3 10v3M17 10v3", role: "OPERATOR", scopes: ["agents:read"] },
  { path: "/dreams", name: "Dreams", icon: "M14.500 12.500A6 6 0 1 1 9 4a5 5 0 0 0 5.500 8.500z" },
  { path: "/models", name: "Models", icon: "M10 3l6 3.500v7L10 17l-6-3.500v-7zM4 6.500l6 3.500 6-3.500M10 10v7" },
  { path: "/events", name: "Events", icon: "M4 5h12M4 10h12M4 15h8", role: "OPERATOR", scopes: ["events:read"] },
  { path: "/alerts", name: "Alerts", icon: "M10 3a4.500 4.500 0 0 0-4.500 4.500c0 4-1.500 5-1.500 6h12c0-1-1.500-2-1.500-6A4.500 4.500 0 0 0 10 3zM8.500 16.500h3", role: "MEMBER", scopes: ["alerts:read", "users:read"] },
  { path: "/metrics", name: "Metrics", icon: "M3 14l4-5 3 3 6-8M3 17h14", role: "OPERATOR", scopes: ["metrics:read"] },
  { path: "/costs", name: "Costs", icon: "M10 3v14M13.500 6.500C13 5 11.500 4.700 10 4.700 8 4.700 6.700 5.600 6.700 7.200c0 3.400 7 1.900 7 5.400 0 1.700-1.500 2.700-3.700 2.700-2 0-3.300-.8-3.700-2.300", role: "OPERATOR", scopes: ["tests:read"] },
  { path: "/admin", name: "Admin", icon: "M10 7.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5zM10 3v2M10 15v2M3 10h2M15 10h2M5 5l1.500 1.500M13.500 13.500L15 15M15 5l-1.500 1.500M6.500 13.500L5 15", role: "MEMBER" },
];

export function sectionsOf(viewer: Viewer): Section[] {
  return SECTIONS.filter(({ role, scopes = [] }) => !role || may(viewer, role, ...scopes));
}

const page = (load: () => Promise<ComponentType>) => lazy(async () => ({ default: await load() }));

/** Pages by path; each is loaded when it is first shown. */
export const PAGES: [string, ComponentType, Section][] = [
  ["/", page(async () => (await import("../pages/overview/Overview.tsx")).Overview), SECTIONS[0]!],
  ["/agents", page(async () => (await import("../pages/agents/AgentWall.tsx")).AgentWall), SECTIONS[1]!],
  ["/agents/:key", page(async () => (await import("../pages/agents/AgentPage.tsx")).AgentPage), SECTIONS[1]!],
  ["/dreams", page(async () => (await import("../pages/dreams/Leaderboard.tsx")).Leaderboard), SECTIONS[2]!],
  ["/dreams/:id", page(async () => (await import("../pages/dreams/DreamPage.tsx")).DreamPage), SECTIONS[2]!],
  ["/models", page(async () => (await import("../pages/models/Models.tsx")).Models), SECTIONS[3]!],
  ["/models/one", page(async () => (await import("../pages/models/ModelPage.tsx")).ModelPage), SECTIONS[3]!],
  ["/events", page(async () => (await import("../pages/events/Events.tsx")).Events), SECTIONS[4]!],
  ["/alerts/:part?", page(async () => (await import("../pages/alerts/Alerts.tsx")).Alerts), SECTIONS[5]!],
  ["/metrics", page(async () => (await import("../pages/metrics/Metrics.tsx")).Metrics), SECTIONS[6]!],
  ["/costs", page(async () => (await import("../pages/costs/Costs.tsx")).Costs), SECTIONS[7]!],
  ["/admin/:part?", page(async () => (await import("../pages/admin/Admin.tsx")).Admin), SECTIONS[8]!],
];

export const PublicDream = page(async () => (await import("../pages/dreams/PublicDream.tsx")).PublicDream);
