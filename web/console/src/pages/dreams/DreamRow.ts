import { graphql } from "../../gql/index.ts";
import type { DreamStatus } from "../../gql/graphql.ts";
import type { Tone } from "../../ui/Badge.tsx";

export const DREAM_ROW = graphql(`
  fragment DreamRow on Dream {
    id
    title
    category
    status
    isPublic
    createdAt
    averageImpossibility
    bestScore
    improvementTrend
    testCount
    lastTestedAt
  }
`);

export const DREAM_TONES: Record<DreamStatus, Tone> = {
  DRAFT: "off",
  ACTIVE: "busy",
  ACHIEVED: "good",
  ARCHIVED: "off",
};
export const DREAM_STATUSES = Object.keys(DREAM_TONES) as DreamStatus[];
export const CATEGORIES = ["CODING", "REASONING", "SCIENCE", "MATH", "CREATIVE", "LANGUAGE", "VISION", "AGENTIC", "OTHER"] as const;
