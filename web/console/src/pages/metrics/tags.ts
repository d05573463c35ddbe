/** Tags of measurements. One of them as a text, such as `host = "a"`, is what a reader chooses. */

export type Tags = Record<string, unknown>;

export function tagText(tags: Tags): string {
  return Object.entries(tags).map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", ");
}

/** The different tags of several measurements, each alone, in the order of their texts. */
export function tagsOf(measured: readonly Tags[]): Tags[] {
  const found = new Map<string, Tags>();
  for (const tags of measured)
    for (const [name, value] of Object.entries(tags)) found.set(tagText({ [name]: value }), { [name]: value });
  return [...found].sort(([one], [other]) => one.localeCompare(other)).map(([, tag]) => tag);
}

/** The tags in an address; null for none, or for what is no JSON object. */
export function parsedTags(text: string): Tags | null {
  try {
    const found: unknown = JSON.parse(text);
    return found !== null && typeof found === "object" && !Array.isArray(found) ? (found as Tags) : null;
  } catch {
    return null;
  }
}
