//! The three metrics of connections that Antrea's flow exporter has, by its names, so that alerts
//! and dashboards made for it go on working. Where the kernel tracks no connections they are absent.

use std::fs;
use std::path::Path;

use weir_telemetry::Exposition;

/// Adds them: sizes of the table of tracked connections, of the network namespace that Weir is in,
/// and flows of which one end is in a pod.
// Deviation: Antrea counts the connections in its own conntrack zone, which are those of pods;
// without Antrea there is no such zone, so what is counted is the flows that have a pod.
pub(super) fn expose(proc: &Path, flows_of_pods: u64, out: &mut Exposition) {
    let folder = proc.join("sys/net/netfilter");
    let read = |file| fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok();
    let Some(count) = read("nf_conntrack_count") else { return };
    out.gauge(
        "antrea_agent_conntrack_total_connection_count",
        "connections in the kernel's table of tracked connections",
        &[],
        count as f64,
    );
    out.gauge(
        "antrea_agent_conntrack_antrea_connection_count",
        "metered flows of which an end is in a pod",
        &[],
        flows_of_pods as f64,
    );
    if let Some(max) = read("nf_conntrack_max") {
        out.gauge(
            "antrea_agent_conntrack_max_connection_count",
            "connections that the kernel's table may hold",
            &[],
            max as f64,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_telemetry::Registry;

    fn scraped(proc: &Path) -> Vec<String> {
        let registry = Registry::new();
        let proc = proc.to_owned();
        registry.on_collect(move |out| expose(&proc, 7, out));
        let text = registry.render();
        text.lines().filter(|line| line.starts_with("antrea")).map(str::to_owned).collect()
    }

    #[test]
    fn connections_are_told_by_antreas_names_where_the_kernel_tracks_them() {
        let proc = std::env::temp_dir().join(format!("weir-antrea-{}", std::process::id()));
        let folder = proc.join("sys/net/netfilter");
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(scraped(&proc), Vec::<String>::new());
        fs::write(folder.join("nf_conntrack_count"), "42\n").unwrap();
        fs::write(folder.join("nf_conntrack_max"), "262144\n").unwrap();
        let expected = [
            "antrea_agent_conntrack_antrea_connection_count 7",
            "antrea_agent_conntrack_max_connection_count 262144",
            "antrea_agent_conntrack_total_connection_count 42",
        ];
        assert_eq!(scraped(&proc), expected);
        fs::remove_dir_all(proc).unwrap();
    }
}
