// What to paste on an exporter so that it reports here. Pure: host and ports are given.

export interface Block {
  /** What the lines are and where they go. */
  title: string;
  text: string;
}

export interface Recipe {
  id: string;
  label: string;
  blocks: Block[];
  note?: string;
}

export interface Ports {
  netflow: number | undefined;
  ipfix: number | undefined;
  sflow: number | undefined;
  /** IPFIX over TCP, if a port is open for it. */
  tcp: number | undefined;
  all: number[];
  /** Every socket listens on loopback alone: exporters on other machines reach none of them. */
  loopbackOnly: boolean;
}

interface Socket {
  transport: string;
  address: string;
}

/** The ports that are open, with the usual one of each protocol where it is among them. */
export function portsOf(sockets: Socket[]): Ports {
  const split = sockets.map(({ transport, address }) => {
    const at = address.lastIndexOf(":");
    return { transport, host: address.slice(0, at), port: Number(address.slice(at + 1)) };
  });
  const udp = [...new Set(split.filter((s) => s.transport === "udp").map((s) => s.port))];
  const tcp = split.filter((s) => s.transport === "tcp").map((s) => s.port);
  // Any protocol is read on any port; the usual numbers spare people a surprise.
  const pick = (usual: number[]) => usual.find((port) => udp.includes(port)) ?? udp[0];
  return {
    netflow: pick([2055, 9995, 9996]),
    ipfix: pick([4739, 2055]),
    sflow: pick([6343]),
    tcp: tcp.find((port) => port === 4739) ?? tcp[0],
    all: udp,
    loopbackOnly: split.length > 0 && split.every((s) => isLoopback(s.host)),
  };
}

export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, "");
  return plain === "localhost" || plain === "::1" || plain.startsWith("127.");
}

/** `host:port`, with an IPv6 address in brackets. */
export function target(host: string, port: number | undefined): string {
  const plain = host.replace(/^\[|\]$/g, "");
  return `${plain.includes(":") ? `[${plain}]` : plain}:${port ?? "PORT"}`;
}

export function recipes(host: string, ports: Ports): Recipe[] {
  const plain = host.replace(/^\[|\]$/g, "");
  const [ipfix, netflow, sflow] = [target(host, ports.ipfix), target(host, ports.netflow), target(host, ports.sflow)];
  const stream = ports.tcp === undefined ? `${ipfix}:udp` : `${target(host, ports.tcp)}:tcp`;
  return [
    {
      id: "ovs",
      label: "Open vSwitch",
      blocks: [
        {
          title: "sFlow: packet samples and interface counters",
          text: `ovs-vsctl -- --id=@s create sFlow agent=eth0 target=\\"${sflow}\\" \\\n    header=128 sampling=512 polling=10 -- set Bridge br0 sflow=@s`,
        },
        {
          title: "IPFIX: flow records",
          text: `ovs-vsctl -- --id=@i create IPFIX targets=\\"${ipfix}\\" obs_domain_id=1 \\\n    sampling=64 cache_active_timeout=60 -- set Bridge br0 ipfix=@i`,
        },
      ],
      note: "br0 is the bridge to watch, eth0 the interface whose address names the agent. To stop: ovs-vsctl clear Bridge br0 sflow ipfix",
    },
    {
      id: "softflowd",
      label: "softflowd",
      blocks: [{ title: "On any Linux or BSD machine, as root", text: `softflowd -i eth0 -v 10 -t maxlife=60 -n ${ipfix}` }],
      note: "eth0 is the interface to watch; -v 10 is IPFIX, -v 9 NetFlow v9.",
    },
    {
      id: "cisco",
      label: "Cisco",
      blocks: [{
        title: "IOS XE, Flexible NetFlow exported as IPFIX",
        text: `flow exporter WEIR
 destination ${plain}
 transport udp ${ports.ipfix ?? "PORT"}
 export-protocol ipfix
 template data timeout 60
 option interface-table
 option sampler-table
flow monitor WEIR
 exporter WEIR
 record netflow ipv4 original-input
 cache timeout active 60
interface GigabitEthernet0/0/0
 ip flow monitor WEIR input`,
      }],
      note: "The interface table lets Weir show interfaces by name.",
    },
    {
      id: "juniper",
      label: "Juniper",
      blocks: [{
        title: "MX and other inline J-Flow platforms, IPFIX",
        text: `set services flow-monitoring version-ipfix template WEIR ipv4-template
set services flow-monitoring version-ipfix template WEIR flow-active-timeout 60
set services flow-monitoring version-ipfix template WEIR template-refresh-rate seconds 60
set forwarding-options sampling instance WEIR input rate 1000
set forwarding-options sampling instance WEIR family inet output flow-server ${plain} port ${ports.ipfix ?? "PORT"}
set forwarding-options sampling instance WEIR family inet output flow-server ${plain} version-ipfix template WEIR
set forwarding-options sampling instance WEIR family inet output inline-jflow source-address ROUTER-ADDRESS
set chassis fpc 0 sampling-instance WEIR
set interfaces ge-0/0/0 unit 0 family inet sampling input`,
      }],
      note: "Junos takes an address here, not a name. ROUTER-ADDRESS is one of the router's own.",
    },
    {
      id: "mikrotik",
      label: "MikroTik",
      blocks: [{
        title: "RouterOS 6 and 7",
        text: `/ip traffic-flow set enabled=yes interfaces=all active-flow-timeout=1m\n/ip traffic-flow target add dst-address=${plain} port=${ports.ipfix ?? "PORT"} version=ipfix`,
      }],
    },
    {
      id: "kubernetes",
      label: "Kubernetes",
      blocks: [
        {
          title: "Antrea, with the names of pods and services (Flow Aggregator)",
          text: `helm install flow-aggregator antrea/flow-aggregator --namespace flow-aggregator --create-namespace \\\n    --set flowCollector.enable=true,flowCollector.address=${stream}\nhelm upgrade antrea antrea/antrea --namespace kube-system --reuse-values \\\n    --set featureGates.FlowExporter=true,flowExporter.enable=true`,
        },
        {
          title: "OpenShift with OVN-Kubernetes",
          text: `oc patch network.operator cluster --type merge -p \\\n    '{"spec":{"exportNetworkFlows":{"ipfix":{"collectors":["${ipfix}"]}}}}'`,
        },
      ],
    },
    {
      id: "hsflowd",
      label: "Host sFlow",
      blocks: [{
        title: "/etc/hsflowd.conf, then restart hsflowd",
        text: `sflow {\n  sampling = 400\n  polling = 20\n  collector { ip = ${plain} udpport = ${ports.sflow ?? "PORT"} }\n  pcap { dev = eth0 }\n}`,
      }],
    },
    {
      id: "capture",
      label: "No exporter at hand",
      blocks: [
        {
          title: "Replay a capture of exports (pcap or pcapng)",
          text: `weir replay FILE.pcap --to ${netflow} --retime`,
        },
        { title: "Or start the demo: real captures, replayed in a loop", text: "make demo" },
      ],
      note: "The demo keeps its records in a folder of its own, ./weir-demo-data; without a source tree: weir serve --demo",
    },
  ];
}
