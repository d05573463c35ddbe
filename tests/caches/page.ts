// In a browser: a page with the function `playAll`.
import { playAll } from "./clients.ts";

Object.assign(globalThis, { playAll });
