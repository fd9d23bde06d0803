//! Nodes of a cluster in namespaces: a bridge with two pods each, and VXLAN between them.

use super::Namespace;

/// A node with a bridge and two pods on it.
pub(crate) struct Node {
    pub(crate) node: Namespace,
    pub(crate) pods: [Namespace; 2],
}

impl Node {
    /// Addresses of pods are 10.244.`number`.11 and .12, the node's 172.31.0.`number`.
    pub(crate) fn new(number: u8) -> Option<Node> {
        let node = Namespace::new()?;
        let pods = [Namespace::new()?, Namespace::new()?];
        let made = node.sh(format!(
            "ip link add cni0 type bridge
             ip addr add 10.244.{number}.1/24 dev cni0
             ip link set cni0 up
             sysctl -qw net.ipv4.ip_forward=1"
        )) && pods.iter().zip(1..).all(|(pod, i)| {
            node.sh(format!(
                "ip link add veth{i} type veth peer name eth0 netns {}
                 ip link set veth{i} master cni0 up",
                pod.pid()
            )) && pod.sh(format!(
                "ip addr add 10.244.{number}.1{i}/24 dev eth0
                 ip link set eth0 mtu 1450 up
                 ethtool -K eth0 tso off gso off gro off >/dev/null
                 ip route add default via 10.244.{number}.1"
            ))
        });
        made.then_some(Node { node, pods })
    }
}

/// Two nodes whose pods reach each other through VXLAN.
pub(crate) fn two_nodes() -> Option<(Node, Node)> {
    let (a, b) = Node::new(1).zip(Node::new(2))?;
    let wired = a.node.sh(format!("ip link add u0 type veth peer name u0 netns {}", b.node.pid()));
    let both = [(&a, 1, 2), (&b, 2, 1)];
    let is_up = wired
        && both.iter().all(|(at, own, other)| {
            at.node.sh(format!(
                "ip addr add 172.31.0.{own}/24 dev u0
                 ip link set u0 up
                 ip link add vx0 address 02:00:00:00:00:0{own} type vxlan id 42 dev u0 \
                    local 172.31.0.{own} dstport 4789 nolearning
                 ip addr add 10.244.{own}.0/32 dev vx0
                 ip link set vx0 up
                 bridge fdb append 02:00:00:00:00:0{other} dev vx0 dst 172.31.0.{other}
                 ip neigh add 10.244.{other}.0 lladdr 02:00:00:00:00:0{other} dev vx0
                 ip route add 10.244.{other}.0/24 via 10.244.{other}.0 dev vx0 onlink"
            ))
        });
    is_up.then_some((a, b))
}
