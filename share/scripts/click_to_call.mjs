#!/usr/bin/env node
// Calls by a click: a page with a form, on this machine only. Your phone rings; when you take it off the hook, the other number is called.
// Run it by hand: click_to_call.mjs /run/jackfield/scripts 8088, the listener of extmodule.conf (or HOST:PORT) and the page's port.
//
//   curl -d from=101 -d to=102 http://127.0.0.1:8088/call
import http from "node:http";
import process from "node:process";
import { Script } from "./jackfield.mjs";

const [, , address, port = "8088"] = process.argv;
const kLongestForm = 1024;
const script = new Script(address);

const page = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Call</title>
<form method="post" action="/call">My number <input name="from" required> calls <input name="to" required> <button>Call</button></form>`;

/** Calls `from` as anybody would, and once it has answered, `to` in its name. */
async function call(from, to) {
  const route = await script.dispatch("call.route", { called: from, caller: to });
  if (!route.handled || ["", "-", "error"].includes(route.retval)) return [404, `${from} is not reached: ${route.parameters.get("error") ?? "noroute"}`];
  const execute = await script.dispatch("call.execute", { ...Object.fromEntries(route.parameters), callto: route.retval, target: to });
  if (!execute.handled) return [502, `${from} cannot be called: ${execute.parameters.get("reason") ?? execute.parameters.get("error") ?? "nobody does"}`];
  return [200, `${from} rings, then ${to} (${execute.parameters.get("id")})`];
}

async function readForm(request) {
  let body = "";
  for await (const chunk of request) {
    body += chunk;
    if (body.length > kLongestForm) return null;
  }
  return new URLSearchParams(body);
}

async function serve(request, response) {
  const reply = (status, text, type = "text/plain") => response.writeHead(status, { "content-type": `${type}; charset=utf-8` }).end(text);
  // A page of somebody else's in the same browser must not make calls.
  const { host, origin } = request.headers;
  if (!/^(127\.\d+\.\d+\.\d+|localhost)(:\d+)?$/.test(host ?? "") || (origin && origin !== `http://${host}`)) return reply(403, "not from here\n");
  if (request.method === "GET" && request.url === "/") return reply(200, page, "text/html");
  if (request.method !== "POST" || request.url !== "/call") return reply(404, "there is /, and POST to /call\n");
  const form = await readForm(request);
  const from = form?.get("from"), to = form?.get("to");
  if (!from || !to) return reply(400, "from and to, two numbers\n");
  const [status, text] = await call(from, to);
  return reply(status, `${text}\n`);
}

const server = http.createServer((request, response) => serve(request, response).catch((error) => {
  console.error(error);
  response.destroy();
}));
script.onStart(() => new Promise((resolve, reject) => server.once("error", reject).listen(Number(port), "127.0.0.1", resolve)));
await script.run();
server.close();
