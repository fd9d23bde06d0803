// Why Weir itself loses something: what each reason of the ledger means and what to do about it.

export interface Reason {
  what: string;
  todo: string;
}

const REASONS: Record<string, Reason> = {
  not_allowed: {
    what: "The sender is not in the address blocks that may send.",
    todo: "If it should be heard, add its block to ingest.allow.",
  },
  queue_full: {
    what: "Decoding did not keep up and the queue before it was full.",
    todo: "Give Weir more cores or ingest.decode_threads; for short bursts raise ingest.queue_max.",
  },
  truncated: {
    what: "The datagram was longer than what arrived of it.",
    todo: "Let the exporter send smaller messages, best below the path's MTU.",
  },
  unknown_protocol: {
    what: "The message is of no protocol that Weir speaks.",
    todo: "See what sends to this port: Weir reads NetFlow v5, v7, v9, IPFIX and sFlow v5.",
  },
  malformed_message: {
    what: "The head of the message or its framing is broken.",
    todo: "A capture of one such message (weir decode reads it) tells more; ask the exporter's maker.",
  },
  malformed_set: {
    what: "A Set or sample broke off or contradicts itself; the records before that point were kept.",
    todo: "A capture of one such message (weir decode reads it) tells more; ask the exporter's maker.",
  },
  malformed_template: {
    what: "A template that cannot be: empty, too long, or too short.",
    todo: "A capture of one such message (weir decode reads it) tells more; ask the exporter's maker.",
  },
  template_quota: {
    what: "The exporter told more templates or fields than are kept of one.",
    todo: "If it really needs them, raise ingest.templates_max.",
  },
  no_template: {
    what: "Data came, but the template that describes it did not come in time.",
    todo: "Let the exporter send its templates more often: once a minute, or every 20 packets.",
  },
  park_quota: {
    what: "Too much data waits for templates already.",
    todo: "Let the exporter send its templates more often, or raise ingest.parked_max.",
  },
  reserved: {
    what: "A Set id or sample type that the protocol reserves.",
    todo: "Usually harmless; the exporter's maker knows what it means.",
  },
  exporter_quota: {
    what: "More exporters and observation domains send than are known at once.",
    todo: "If all of them are yours raise ingest.exporters_max, else name them in ingest.allow.",
  },
  record_quota: {
    what: "One message claims more records than fit into one.",
    todo: "See who sends it: no ordinary exporter does.",
  },
  duplicate: {
    what: "An exporter that waits for acknowledgements sent again what is kept already.",
    todo: "Nothing: no record is lost by it. After a restart of Weir some are expected.",
  },
  sink_disk_full: {
    what: "The disk of the data folder had no room.",
    todo: "Free space there, set or lower store.octets_max, or shorten store.keep_flows.",
  },
  sink_io: {
    what: "The disk of the data folder failed to write.",
    todo: "Weir's log names the error; look at the disk.",
  },
  sink_closed: {
    what: "It came while Weir was shutting down.",
    todo: "Nothing: it ends with the restart.",
  },
  sink_refused: {
    what: "The store found the rows at fault.",
    todo: "This is a bug: please report it with Weir's log.",
  },
  sink_panicked: {
    what: "The store's code failed.",
    todo: "This is a bug: please report it with Weir's log.",
  },
};

export function reason(name: string): Reason {
  return REASONS[name] ?? { what: "A reason that this page does not know.", todo: "Weir may be newer than this page: load it anew." };
}

/** `queue_full` as a phrase. */
export function reasonText(name: string): string {
  return name.replaceAll("_", " ");
}

/** Losses behind the decoder: at the store. */
export function isSink(name: string): boolean {
  return name.startsWith("sink_");
}

/** False for what is kept all the same: it came once more. */
export function isLoss(name: string): boolean {
  return name !== "duplicate";
}

export interface Drop {
  name: string;
  count: number;
}

/** How many were lost, for all reasons together. */
export function lossesOf(dropped: Record<string, number>): number {
  return Object.entries(dropped).reduce((sum, [name, count]) => (isLoss(name) ? sum + Number(count) : sum), 0);
}

/** The reasons that happened, the most frequent first. */
export function drops(dropped: Record<string, number>): Drop[] {
  return Object.entries(dropped)
    .map(([name, count]) => ({ name, count: Number(count) }))
    .filter((drop) => drop.count > 0)
    .sort((a, b) => b.count - a.count || a.name.localeCompare(b.name));
}
