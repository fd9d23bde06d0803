// Writes a .gz and a .br twin beside every text file of dist/: the binary embeds all three.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

function* files(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

for (const path of files("dist")) {
  if (!/\.(js|css|html|svg|json|webmanifest)$/.test(path)) continue;
  const octets = readFileSync(path);
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11 };
  writeFileSync(`${path}.gz`, gzipSync(octets, { level: 9 }));
  writeFileSync(`${path}.br`, brotliCompressSync(octets, { params: quality }));
}
