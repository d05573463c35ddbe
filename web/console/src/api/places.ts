/** Addresses of the gateway, which may be served under a prefix. The page's base is its /console/. */
const root = new URL("..", document.baseURI);

export const GRAPHQL = new URL("graphql", root).href;
export const SOCKET = GRAPHQL.replace(/^http/, "ws");
export const SESSION = new URL("session", root).href;
export const GRAPHIQL = new URL("graphiql", root).href;
export const CONSOLE = new URL("console", root).pathname;
export const SAMPLE = new URL("console/sample", root).href;
