// Checks what a browser must load: script of the first page, and of all pages, gzipped.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const FIRST_LOAD_MAX = 120 * 1000;
const ALL_MAX = 320 * 1000;

const assets = join("dist", "assets");
const gzipped = (name) => readFileSync(join(assets, `${name}.gz`)).length;
const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));

// The entry and what it imports statically load first; the manifest of that is index.html itself,
// which names the entry and its preloads, and the entries' own import statements.
const html = readFileSync(join("dist", "index.html"), "utf8");
const first = new Set();
const visit = (name) => {
  if (first.has(name)) return;
  first.add(name);
  const text = readFileSync(join(assets, name), "utf8");
  for (const [, found] of text.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)) visit(found);
};
for (const [, name] of html.matchAll(/\/assets\/([^"']+\.js)/g)) visit(name);

const sum = (names) => [...names].reduce((total, name) => total + gzipped(name), 0);
const [firstLoad, all] = [sum(first), sum(scripts)];
const styles = sum(readdirSync(assets).filter((name) => name.endsWith(".css")));
for (const name of scripts.sort((a, b) => gzipped(b) - gzipped(a))) {
  console.log(`${first.has(name) ? "first" : "later"}  ${String(gzipped(name)).padStart(7)}  ${name}`);
}
console.log(`first load ${firstLoad} octets gzip (at most ${FIRST_LOAD_MAX}), all ${all} (at most ${ALL_MAX}), style ${styles}`);
if (first.size === 0) throw new Error("dist/index.html names no script");
if (firstLoad > FIRST_LOAD_MAX || all > ALL_MAX) process.exit(1);
