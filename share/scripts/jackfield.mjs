// Scripts for Jackfield in JavaScript (Node 18 and later), without dependencies. A script is started by the server ([scripts] of
// extmodule.conf) or connects to one of its sockets ([listener …]).
//
//   import { Script } from "./jackfield.mjs";
//   const script = new Script();
//   script.handle("call.route", (message) => `sip/sip:${message.parameters.get("called")}@192.0.2.10`, { priority: 50 });
//   await script.run();
//
// A handler answers a string: handled, that is the return value; true: handled; anything else: the next handler is asked. It may be
// async. What it sets in message.parameters (a Map) or deletes from it is sent back. Other messages:
// `const answer = await script.dispatch("user.auth", { username: "101" })`.
import fs from "node:fs";
import net from "node:net";
import process from "node:process";

/** The server said something that is not understood, refused something, or is gone. */
export class ProtocolError extends Error {}

/** Escapes what separates fields and lines; in a parameter's name the = too. */
export function escape(text, isName = false) {
  return String(text).replace(isName ? /[\x00-\x1f:%=]/g : /[\x00-\x1f:%]/g, (char) =>
    "%" + (char === "%" ? "%" : String.fromCharCode(char.charCodeAt(0) + 64)));
}

/** Takes escapes back; throws ProtocolError for a % that begins none. */
export function unescape(text) {
  return text.replace(/%([\s\S]?)/g, (all, code) => {
    if (code === "%") return "%";
    if (/^[A-_z}]$/.test(code)) return String.fromCharCode(code.charCodeAt(0) - 64);
    throw new ProtocolError(`${all} is no escape`);
  });
}

/** A message: its parameters are a Map from name to text, in their order. */
export class Message {
  constructor(name, parameters = [], { retval = "", created = 0, handled = false } = {}) {
    this.name = name;
    this.parameters = new Map(parameters);
    this.retval = retval;
    this.created = created; // seconds since 1970
    this.handled = handled; // of an answer, and of what a watcher sees
  }
}

function readParameters(fields) {
  return fields.filter((field) => field.includes("=")).map((field) => {
    const equals = field.indexOf("=");
    return [unescape(field.slice(0, equals)), unescape(field.slice(equals + 1))];
  });
}

const writeParameters = (entries) => entries.map(([name, value]) => `:${escape(name, true)}=${escape(value)}`).join("");

export class Script {
  #address; #secret; #role; #handlers = new Map(); #call = null; #watchers = new Map(); #starting = [];
  #waiting = new Map(); #nextId = 0; #output = null; #buffer = "";

  /** address: nothing to speak over standard input and output, "host:port", or the path of a Unix socket. secret: that of the listener.
   *  role on a socket: "global", or "channel" for a script that makes one call of its own with a call.execute. */
  constructor(address = null, { secret = "", role = "global" } = {}) {
    this.#address = address;
    this.#secret = secret;
    this.#role = role;
  }

  /** Lower priorities are asked first. only: ["username", "101"], messages with just that. */
  handle(name, handler, { priority = 100, only = null } = {}) {
    if (this.#handlers.has(name)) throw new Error(`${name} has a handler already`);
    this.#handlers.set(name, { handler, priority, only });
  }

  /** Takes the call that this script was started for (external/nodata/SCRIPT). It gets the call.execute; true: the script is the caller's
   *  other end, named as setlocal("id", …) said. What it sends meanwhile is sent on once the two are connected. */
  call(handler) { this.#call = handler; }

  /** Is told of every message of that name after its dispatch; an empty name is every message. */
  watch(name, watcher) { this.#watchers.set(name, watcher); }

  /** Runs once the handlers are installed. */
  onStart(work) { this.#starting.push(work); }

  /** Sends a message and waits for its answer: the message as handlers left it. */
  dispatch(name, parameters = {}, { retval = "" } = {}) {
    const id = String(++this.#nextId);
    return this.#ask(`message:${id}`, `%%>message:${id}:${now()}:${escape(name)}:${escape(retval)}${writeParameters(Object.entries(parameters))}`);
  }

  /** Sends a message whose answer nobody wants. */
  enqueue(name, parameters = {}, { retval = "" } = {}) {
    this.#send(`%%>message::${now()}:${escape(name)}:${escape(retval)}${writeParameters(Object.entries(parameters))}`);
  }

  /** Sets, or with an empty value asks, what the server keeps for this script: timeout, restart, reenter, engine.version, … */
  async setlocal(name, value = "") {
    const [kept, known] = await this.#ask(`setlocal:${escape(name)}`, `%%>setlocal:${escape(name)}:${escape(value)}`);
    if (!known) throw new ProtocolError(`setlocal ${name}: refused`);
    return kept;
  }

  /** A line in the server's log: 0 is the worst, 8 is information, 9 and above are for finding faults. */
  log(text, level = 8) { this.#send(`%%>debug:${level}:${escape(text)}`); }

  /** Ends the script; the server does not start it again. */
  quit() { this.#send("%%>quit"); }

  /** Runs until the server closes or quit(). */
  async run() {
    const input = await this.#connect();
    input.setEncoding("utf8");
    const over = new Promise((resolve, reject) => {
      input.on("data", (text) => this.#read(text));
      input.on("close", resolve);
      input.on("end", resolve);
      input.on("error", reject);
    });
    over.catch(() => {}).finally(() => {
      for (const { reject } of this.#waiting.values()) reject(new ProtocolError("the server closed the connection"));
    });
    if (this.#secret && !(await this.#ask("auth", `%%>auth:${escape(this.#secret)}`))) throw new ProtocolError("the server refused the secret");
    if (this.#address !== null) this.#send(`%%>connect:${this.#role}`);
    for (const [name, { priority, only }] of this.#handlers) {
      const condition = only ? `:${escape(only[0])}:${escape(only[1])}` : "";
      if (!(await this.#ask(`install:${escape(name)}`, `%%>install:${priority}:${escape(name)}${condition}`)))
        throw new ProtocolError(`the handler of ${name} was refused`);
    }
    for (const name of this.#watchers.keys()) await this.#ask(`watch:${escape(name)}`, `%%>watch:${escape(name)}`);
    for (const work of this.#starting) await work();
    await over;
  }

  // What follows is the protocol.

  async #connect() {
    if (this.#address === null) {
      // Written at once: what a handler prints by mistake goes to the log instead of into the protocol.
      this.#output = (line) => fs.writeSync(1, line);
      console.log = console.error;
      return process.stdin;
    }
    const colon = this.#address.lastIndexOf(":");
    const where = this.#address.includes("/") ? { path: this.#address }
      : { host: this.#address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(this.#address.slice(colon + 1)) };
    const socket = net.connect(where);
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    this.#output = (line) => socket.write(line);
    return socket;
  }

  #send(line) {
    if (!this.#output) throw new ProtocolError("the script is not connected yet: send from handlers or from onStart");
    this.#output(line + "\n");
  }

  #ask(key, line) {
    if (this.#waiting.has(key)) return Promise.reject(new ProtocolError(`${key} is asked already`));
    return new Promise((resolve, reject) => {
      this.#waiting.set(key, { resolve, reject });
      this.#send(line);
    });
  }

  #answer(key, value) {
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    waiting?.resolve(value);
  }

  #read(text) {
    const lines = (this.#buffer + text).split("\n");
    this.#buffer = lines.pop();
    for (const line of lines) {
      try {
        this.#line(line.replace(/\r$/, ""));
      } catch (error) {
        console.error(`not understood: ${line}: ${error.message}`);
      }
    }
  }

  #line(line) {
    const [keyword, ...fields] = line.split(":");
    if (keyword === "%%>message") {
      const message = new Message(unescape(fields[2]), readParameters(fields.slice(4)), { retval: unescape(fields[3]), created: Number(fields[1]) });
      this.#handle(fields[0], message);
    } else if (keyword === "%%<message") {
      const message = new Message(unescape(fields[2]), readParameters(fields.slice(4)), { retval: unescape(fields[3]), handled: fields[1] === "true" });
      if (fields[0]) this.#answer(`message:${fields[0]}`, message);
      else this.#tell(message);
    } else if (keyword === "%%<install" || keyword === "%%<uninstall") {
      this.#answer(`${keyword.slice(3)}:${fields[1]}`, fields[2] === "true");
    } else if (keyword === "%%<watch" || keyword === "%%<unwatch") {
      this.#answer(`${keyword.slice(3)}:${fields[0]}`, fields[1] === "true");
    } else if (keyword === "%%<setlocal") {
      this.#answer(`setlocal:${fields[0]}`, [unescape(fields[1]), fields[2] === "true"]);
    } else if (keyword === "%%<auth") {
      this.#answer("auth", fields[0] === "true");
    } else if (keyword !== "%%<quit" && keyword !== "%%<connect") {
      throw new ProtocolError("no such keyword");
    }
  }

  async #handle(id, message) {
    const before = new Map(message.parameters), { name, retval } = message;
    let result = false;
    try {
      result = await (this.#handlers.get(name)?.handler ?? this.#call ?? (() => false))(message);
    } catch (error) {
      // A fault in one handler is no reason to leave the others, or the caller, alone.
      console.error(error);
      message.name = name;
      message.retval = retval;
      message.parameters = before;
    }
    if (typeof result === "string") message.retval = result;
    const handled = typeof result === "string" || result === true;
    const changed = [...message.parameters].filter(([key, value]) => before.get(key) !== String(value));
    const gone = [...before.keys()].filter((key) => !message.parameters.has(key)).map((key) => `:${escape(key, true)}`).join("");
    const renamed = message.name === name ? "" : escape(message.name);
    this.#send(`%%<message:${id}:${handled}:${renamed}:${escape(message.retval)}${writeParameters(changed)}${gone}`);
  }

  async #tell(message) {
    try {
      await (this.#watchers.get(message.name) ?? this.#watchers.get(""))?.(message);
    } catch (error) {
      console.error(error);
    }
  }
}

const now = () => Math.floor(Date.now() / 1000);
