//! A server on a free port over a store with known records, and a client that sends octets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use weir_api::view::processes::ProcessView;
use weir_api::view::{
    AccountView, ExporterView, FieldView, LedgerView, Loss, LossView, MeterSourceView,
    MeterTierView, MeterView, SequenceView, SocketView, TemplateView, TemplatesView,
};
use weir_api::{About, Access, ApiPolicy, Asset, Collecting, Console, Hub, Parts};
use weir_model::columns::flows;
use weir_model::{Addr, FlowBatch, Table, Timestamp};
use weir_query::QueryLimits;
use weir_store::{DiskFiles, Store, StorePolicy};
use weir_telemetry::Registry;
use weir_testkit::FakeClock;

/// 2026-11-20T12:00:00Z: what time it is in every test.
pub const NOW: Timestamp = Timestamp(1_795_176_000_000_000_000);

/// What tests change of the server.
pub struct Setup {
    pub access: Access,
    pub policy: ApiPolicy,
    pub limits: QueryLimits,
    pub console: Console,
    /// Connections at once, and the silence after which one is closed.
    pub connections: (usize, Duration),
}

/// A console of three files.
pub const CONSOLE: Console = Console(&[
    Asset {
        path: "/assets/app-1a2b.js",
        tag: "js1",
        plain: b"plain script",
        gzip: Some(b"script as gzip"),
        brotli: Some(b"script as br"),
    },
    Asset { path: "/favicon.svg", tag: "svg1", plain: b"<svg/>", gzip: None, brotli: None },
    Asset {
        path: "/index.html",
        tag: "page1",
        plain: b"<!doctype html><title>Weir</title>",
        gzip: Some(b"page as gzip"),
        brotli: Some(b"page as br"),
    },
]);

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            access: Access::Local { allowed_hosts: Vec::new() },
            policy: ApiPolicy {
                body_max: 4_096,
                queries_max: 2,
                tails_max: 1,
                tail_records_per_second: 2,
            },
            limits: QueryLimits::default(),
            console: CONSOLE,
            connections: (4, Duration::from_millis(1_500)),
        }
    }
}

/// The running server. Dropping it stops it and removes its folder.
pub struct Server {
    pub address: SocketAddr,
    pub hub: Hub,
    pub store: Store,
    folder: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// (seconds ago, source, destination, port, protocol, octets, packets, sampling rate, pod)
type Row = (i64, u32, u32, u16, u8, u64, u64, Option<u32>, &'static str);

/// The records that every test asks about.
pub const ROWS: [Row; 4] = [
    (600, 0x0a00_0001, 0xc000_0201, 443, 6, 1_000, 10, Some(1), "web-1"),
    (540, 0x0a00_0001, 0xc000_0202, 443, 6, 2_000, 20, Some(10), "web-1"),
    (480, 0x0a00_0002, 0xc000_0201, 53, 17, 300, 3, Some(1), "<img src=x>"),
    (7_200, 0x0a00_0003, 0xc000_0203, 80, 6, (1 << 53) + 1, 1, Some(1), "old"),
];

/// `ROWS` as a sealed batch.
pub fn batch(rows: &[Row]) -> FlowBatch {
    let mut batch = FlowBatch::new(Table::Flows);
    for &(ago, src, dst, port, proto, octets, packets, rate, pod) in rows {
        let row = batch.append_rows(1);
        batch.set(flows::RECEIVED_AT, row, NOW.minus(Duration::from_secs(ago as u64)).0);
        batch.set(flows::EXPORTER_ADDR, row, Addr::v4(0xc633_6401));
        batch.set(flows::SRC_ADDR, row, Addr::v4(src));
        batch.set(flows::DST_ADDR, row, Addr::v4(dst));
        batch.set(flows::DST_PORT, row, port);
        batch.set(flows::PROTO, row, proto);
        batch.set(flows::OCTETS, row, octets);
        batch.set(flows::PACKETS, row, packets);
        if let Some(rate) = rate {
            batch.set(flows::SAMPLING_RATE, row, rate);
        }
        batch.set_octets(flows::SRC_POD, row, pod.as_bytes());
    }
    batch.seal();
    batch
}

fn collecting() -> Collecting {
    let account = AccountView { received: 5, kept: 4, ..AccountView::default() };
    let records = AccountView { dropped: [("queue_full", 1)].into(), ..account.clone() };
    Collecting {
        exporters: vec![ExporterView {
            addr: Addr::v4(0xc633_6401),
            name: None,
            protocol: "ipfix",
            domain: 7,
            first_seen: NOW.minus(Duration::from_secs(3_600)),
            last_seen: NOW,
            messages: 5,
            records: (1 << 53) + 1,
            octets: 700,
            records_per_second: 12.5,
            octets_per_second: 0.0,
            templates: 2,
            parked_sets: 0,
            names: 0,
            sampling: Vec::new(),
            sequence: SequenceView::default(),
            clock_skew_ms: -3,
            dropped: [("queue_full", 1)].into(),
        }],
        ledger: LedgerView {
            messages: AccountView::default(),
            sets: AccountView::default(),
            records,
        },
        sockets: vec![SocketView {
            transport: "udp",
            address: "[::]:2055".to_owned(),
            buffer_octets: 1 << 20,
            kernel_dropped: 0,
        }],
        queue: Default::default(),
        connections: 0,
        secure: Default::default(),
        meter: MeterView {
            enabled: true,
            addr: Some(Addr::v4(0xc000_0202)),
            tiers: vec![
                MeterTierView { name: "inet_diag", runs: true, why_not: None, costs: None },
                MeterTierView {
                    name: "conntrack",
                    runs: false,
                    why_not: Some("<not here>".to_owned()),
                    costs: Some("translated addresses are not seen"),
                },
            ],
            sources: vec![MeterSourceView {
                name: "inet_diag",
                errors: 1,
                counts: [("dumps", 2)].into(),
            }],
            ..MeterView::default()
        },
        losses: vec![LossView {
            what: Loss::QueueFull,
            total: 1,
            recent: 0,
            since: Some(NOW.minus(Duration::from_secs(1_900))),
            last_at: Some(NOW.minus(Duration::from_secs(1_800))),
        }],
    }
}

/// curl, begun by bash, begun by init, and an older process that had its number.
fn processes(pid: Option<u32>) -> Vec<ProcessView> {
    let process = |id: &str, parent: Option<&str>, process: &str, owns_sockets| {
        let (pid, started) = id.split_once('-').unwrap();
        ProcessView {
            id: id.to_owned(),
            parent_id: parent.map(str::to_owned),
            pid: pid.parse().unwrap(),
            process: process.to_owned(),
            process_start: Some(Timestamp::from_seconds(started.parse().unwrap())),
            owns_sockets,
            ..ProcessView::default()
        }
    };
    let all = [
        process("1-1", None, "init", false),
        process("62-50", Some("1-1"), "wget", true),
        process("61-200", Some("1-1"), "bash", false),
        process("62-300", Some("61-200"), "curl", true),
    ];
    all.into_iter()
        .filter(|process| pid.is_none_or(|pid| pid == 62 || pid == process.pid))
        .collect()
}

fn templates(addr: Addr, domain: Option<u32>) -> TemplatesView {
    if addr != Addr::v4(0xc633_6401) || domain.is_some_and(|domain| domain != 7) {
        return TemplatesView::default();
    }
    let field = FieldView { pen: 0, id: 8, name: None, length: Some(4), scope: false };
    let template = TemplateView {
        id: 256,
        kind: "data",
        session: "port 4739".to_owned(),
        refreshed_at: NOW,
        fields: vec![field],
    };
    TemplatesView { templates: vec![template], left_out: 0 }
}

/// A folder of this test's own.
pub fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("weir-api-{}-{number}", std::process::id()))
}

impl Server {
    /// Starts over `ROWS`.
    pub fn start(setup: Setup) -> Server {
        let folder = folder();
        let clock: Arc<FakeClock> = Arc::default();
        clock.set(NOW);
        let mut policy = StorePolicy::new(&folder);
        policy.disk_free_min = 0;
        let (store, _) = Store::open(policy, clock.clone(), Arc::new(DiskFiles)).unwrap();
        store.append(&batch(&ROWS)).unwrap();
        store.flush().unwrap();
        let hub = Hub::default();
        let registry = Registry::new();
        registry.counter("weir_test_requests_total", "a metric", &[]).inc();
        let parts = Parts {
            store: store.clone(),
            collecting: Arc::new(collecting),
            templates: Arc::new(templates),
            processes: Arc::new(processes),
            hub: hub.clone(),
            registry,
            clock,
            limits: setup.limits,
            policy: setup.policy,
            about: About {
                version: "0.1.0",
                data_folder: folder.clone(),
                udp: vec!["[::]:2055".parse().unwrap()],
                tcp: Vec::new(),
                started_at: NOW.minus(Duration::from_secs(90)),
                demo: false,
            },
            console: setup.console,
        };
        let router = weir_api::router(parts, setup.access);
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, address) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                bound.send(listener.local_addr().unwrap()).unwrap();
                let stopped = async move { drop(stopped.await) };
                let (most, silence) = setup.connections;
                weir_api::server::serve(listener, router, most, silence, stopped).await.unwrap();
            });
        });
        let address = address.recv().unwrap();
        Server { address, hub, folder, store, stop: Some(stop), thread: Some(thread) }
    }

    /// Sends octets and reads until the server closes.
    pub fn raw(&self, octets: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(octets).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        parse(&answer)
    }

    /// One request. `headers` replace the usual ones of the same name.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let host = self.address.to_string();
        let length = body.len().to_string();
        let mut lines = vec![("host", host.as_str()), ("connection", "close")];
        if method == "POST" || method == "PUT" {
            lines.push(("content-type", "application/json"));
            lines.push(("content-length", &length));
        }
        lines.retain(|(name, _)| !headers.iter().any(|(given, _)| given == name));
        lines.extend(headers);
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in lines {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.raw(request.as_bytes())
    }

    /// `GET path`
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.hub.close();
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
        self.store.close().unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn parse(octets: &[u8]) -> Answer {
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(octets)));
    let head = String::from_utf8(octets[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Answer { status, headers, body: octets[end + 4..].to_vec() }
}
