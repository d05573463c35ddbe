// What each client does: reads models page by page; and with its list of dreams: creates one without a title, one with a title,
// edits that, deletes it twice.

export interface Dream {
  id: string;
  title: string;
}

export interface UserError {
  message: string;
}

/** A client: its list from the cache, and mutations that return the dream and the errors. */
export interface Client {
  load(): Promise<unknown>;
  titles(): string[];
  /** The names of models by name, two more with each page, as shown after each of them. */
  pages(): Promise<string[][]>;
  create(title: string): Promise<{ dream?: Dream | null; errors: readonly UserError[] }>;
  edit(id: string, title: string): Promise<unknown>;
  remove(id: string): Promise<{ errors: readonly UserError[] }>;
}

export async function play(client: Client): Promise<unknown> {
  await client.load();
  const steps: Record<string, unknown> = { loaded: client.titles(), pages: await client.pages() };
  const failed = await client.create("");
  steps.failed = [failed.errors.map(({ message }) => message), client.titles()];
  const created = await client.create("Fly");
  steps.created = client.titles();
  const id = created.dream?.id ?? "";
  await client.edit(id, "Soar");
  steps.edited = client.titles();
  await client.remove(id);
  steps.removed = client.titles();
  const again = await client.remove(id);
  steps.again = [again.errors.map(({ message }) => message), client.titles()];
  return steps;
}
