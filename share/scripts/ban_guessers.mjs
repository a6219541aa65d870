#!/usr/bin/env node
// Shuts out who guesses passwords: an address with more than so many wrong answers within so many seconds is banned for so long, whatever
// users it tried. It counts over all listeners and for longer than the server's own ban does (`ban_after=` in sip.conf), and is easily taught
// to count something else. Addresses that sip.conf names trusted= or exempt= are never banned: the command refuses that.
//
//   [scripts]
//   ban_guessers.mjs=20 3600 86400
import process from "node:process";
import { Script } from "./jackfield.mjs";

const [most = 20, seconds = 3600, banned = 86400] = (process.argv[2] ?? "").split(" ").filter(Boolean).map(Number);
const kMostAddresses = 10000; // watched at once: those that were quiet for longest are forgotten
const failures = new Map(); // from an address to the times of its wrong answers
const script = new Script();

script.watch("user.authfail", async (message) => {
  const address = message.parameters.get("ip_host");
  if (!address) return;
  const now = Date.now();
  const times = (failures.get(address) ?? []).filter((time) => now - time < seconds * 1000);
  times.push(now);
  failures.delete(address); // so that it becomes the newest
  if (times.length <= most) {
    failures.set(address, times);
    if (failures.size > kMostAddresses) failures.delete(failures.keys().next().value);
    return;
  }
  const line = `ban add ${address} ${banned} ${times.length} wrong passwords in ${seconds} s`;
  const answer = await script.dispatch("engine.command", { line, cmd_admin: true });
  script.log(answer.retval.trim(), answer.handled ? 8 : 5);
});

await script.run();
