/* Requests to the server, and its answers. Every failure is an Error whose message is one sentence. */

async function read(response) {
  let content;
  try {
    content = await response.json();
  } catch {
    throw new Error(`the server answered ${response.status} without a reason`);
  }
  if (!response.ok) throw new Error(content.error || `the server answered ${response.status}`);
  return content;
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the server does not answer; is `anyorder playground` still running?");
  }
  return read(response);
}

const get = (path) => ask(path);
const post = (path, body) =>
  ask(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

export const about = () => get("/api/about");
export const atlas = () => get("/api/atlas");
export const episode = (source) => post("/api/episode", { source });
export const answer = (request) => post("/api/answer", request);
export const agent = (source, roles, rebuilds) => post("/api/agent", { source, roles, rebuilds });

/** Calls `work` again and again until nothing has changed since it began; never twice at a time. */
export function latest(work) {
  let busy = false, again = false;
  return async function run() {
    again = true;
    if (busy) return;
    busy = true;
    try {
      while (again) {
        again = false;
        await work(() => again);
      }
    } finally {
      busy = false;
    }
  };
}
