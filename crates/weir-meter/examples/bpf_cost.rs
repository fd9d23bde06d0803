//! What the BPF programs cost: `bpf_cost [ROUNDS]`, as root. Bars: socket accounting 30 ns, flow map of
//! interfaces 100 ns, each above a program that does nothing.
#![expect(clippy::print_stdout, reason = "a measurement for a terminal")]

#[cfg(weir_bpf)]
fn main() -> Result<(), weir_meter::cost::CostError> {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut costs = weir_meter::cost::of_interfaces(1_000_000, rounds)?;
    costs.extend(weir_meter::cost::of_sockets(300_000, rounds)?);
    println!("{:<16} {:>8} {:>8} {:>8}  method", "program", "ns", "floor", "net");
    for cost in costs {
        println!(
            "{:<16} {:>8.1} {:>8.1} {:>8.1}  {}",
            cost.program,
            cost.ns,
            cost.floor_ns,
            cost.net_ns(),
            cost.method
        );
    }
    Ok(())
}

#[cfg(not(weir_bpf))]
fn main() {
    println!("built without eBPF");
}
