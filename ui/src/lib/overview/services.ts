// Names of well-known ports, for people; figures and filters keep the number.

const NAMES: Record<string, Record<number, string>> = {
  any: {
    20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "dns", 80: "http", 88: "kerberos",
    110: "pop3", 123: "ntp", 143: "imap", 179: "bgp", 389: "ldap", 443: "https", 445: "smb", 465: "smtps",
    514: "syslog", 587: "submission", 636: "ldaps", 853: "dns-tls", 873: "rsync", 993: "imaps", 1433: "mssql",
    1521: "oracle", 1883: "mqtt", 2049: "nfs", 2055: "netflow", 2379: "etcd", 3306: "mysql", 3389: "rdp",
    4739: "ipfix", 5201: "iperf3", 5432: "postgres", 5672: "amqp", 6081: "geneve", 6343: "sflow", 6379: "redis",
    6443: "kube-api", 8080: "http-alt", 9090: "prometheus", 9092: "kafka", 9200: "elastic", 10250: "kubelet",
    27017: "mongodb",
  },
  udp: { 67: "dhcp", 68: "dhcp", 69: "tftp", 137: "netbios", 161: "snmp", 162: "snmp-trap", 443: "quic", 500: "ike",
    1812: "radius", 3784: "bfd", 4500: "ipsec", 4789: "vxlan", 5353: "mdns", 8472: "vxlan", 51820: "wireguard" },
};

/** `https` of TCP 443, `quic` of UDP 443; undefined where nothing is usual. */
export function serviceOf(proto: number, port: number): string | undefined {
  if (proto !== 6 && proto !== 17) return undefined;
  return (proto === 17 ? NAMES.udp![port] : undefined) ?? NAMES.any![port];
}
