/** Spend, summed by one of its properties. Costs are exact decimals up to here. */

export const GROUPS = [["provider", "Provider"], ["model", "Model"], ["user", "User"]] as const;
export type Group = (typeof GROUPS)[number][0];

export interface Sum {
  name: string;
  cost: number;
  tests: number;
  tokens: number;
}

interface Spent {
  user?: { id: string; email?: string | null } | null;
  provider?: string | null;
  model?: string | null;
  testCount: number;
  totalTokens: string;
  totalCost: string;
}

const NAMES: Record<Group, (spent: Spent) => string> = {
  provider: ({ provider }) => provider ?? "Unknown",
  model: ({ provider, model }) => `${model}, ${provider}`,
  user: ({ user }) => user?.email ?? user?.id ?? "Without a user",
};

export function groupedBy(spends: readonly Spent[], group: Group): Sum[] {
  const nameOf = NAMES[group] ?? NAMES.provider;
  const sums = new Map<string, Sum>();
  for (const spent of spends) {
    const name = nameOf(spent);
    const sum = sums.get(name) ?? { name, cost: 0, tests: 0, tokens: 0 };
    sums.set(name, added(sum, { name, cost: Number(spent.totalCost), tests: spent.testCount, tokens: Number(spent.totalTokens) }));
  }
  return [...sums.values()].sort((one, other) => other.cost - one.cost);
}

export function totalOf(sums: Sum[]): Sum {
  return sums.reduce(added, { name: "", cost: 0, tests: 0, tokens: 0 });
}

function added(one: Sum, other: Sum): Sum {
  return { name: one.name, cost: one.cost + other.cost, tests: one.tests + other.tests, tokens: one.tokens + other.tokens };
}
