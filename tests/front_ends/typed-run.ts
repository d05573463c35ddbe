// Uses `typed.ts`: node typed-run.ts ADDRESS, with a key in DREAMNET_KEY. Prints what it did.
import { connect, createDream, dreams } from "./typed.ts";

const request = connect(`${process.argv[2]}/graphql`, () => process.env.DREAMNET_KEY ?? "");
const created = [];
for (const title of ["a", "b", "c", "d", "e"]) {
  created.push(await createDream(request, { title, description: "Folds a protein." }));
}
const refused = await createDream(request, { title: "", tags: ["", "new"] });
const listed = [];
for await (const { id, title, createdAt } of dreams(request)) listed.push([id, title, typeof createdAt]);
const failed = await createDream(connect(`${process.argv[2]}/graphql`, () => "none"), { title: "a" })
  .catch((error: Error) => error.message);
console.log(JSON.stringify({ created, refused, listed, failed }));
