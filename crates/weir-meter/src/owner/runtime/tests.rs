use super::*;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("weir-{name}-{}", std::process::id()));
        let _fresh = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// A runtime's socket on which `answer` is all that is said, once.
    fn socket(&self, answer: impl FnOnce(UnixStream, String) + Send + 'static) -> PathBuf {
        let path = self.0.join("runtime.sock");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut octet = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut octet).unwrap() == 1 {
                request.push(octet[0]);
            }
            answer(stream, String::from_utf8(request).unwrap());
        });
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn cgroup(runtime: Option<&str>) -> Cgroup {
    Cgroup {
        container_id: Some(ID.into()),
        runtime: runtime.map(str::to_owned),
        ..Cgroup::default()
    }
}

fn ask_socket(path: &Path) -> Result<Told, LookupError> {
    docker::ask(path, ID, Duration::from_millis(300))
}

fn answering(name: &str, answer: &'static [u8]) -> Result<Told, LookupError> {
    let folder = Folder::new(name);
    // A reader that has heard enough closes before all is said.
    ask_socket(&folder.socket(|mut stream, _| drop(stream.write_all(answer))))
}

fn wait(container: &Container) -> Option<Named> {
    let began = Instant::now();
    while container.is_waiting.load(Ordering::Acquire) && began.elapsed() < Duration::from_secs(10)
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    container.named().cloned()
}

const DOCKER: &[u8] =
    b"HTTP/1.0 200 OK\r\nApi-Version: 1.44\r\nContent-Type: application/json\r\n\r\n\
    {\"Id\":\"0123\",\"Name\":\"/docker\\u0007monitor\",\"Image\":\"sha256:77\",\"Config\":\
    {\"Image\":\"nginx:1.27\",\"Labels\":{\"a\":\"b\"},\"Env\":[\"SECRET=1\"]}}\n";

#[test]
fn docker_names_a_container_and_its_image() {
    let folder = Folder::new("docker");
    let path = folder.socket(|mut stream, request| {
        assert_eq!(request, format!("GET /containers/{ID}/json HTTP/1.0\r\nHost: weir\r\n\r\n"));
        stream.write_all(DOCKER).unwrap();
    });
    let policy = RuntimePolicy { sockets: vec![("docker", path)], ..RuntimePolicy::none() };
    let mut runtimes = Runtimes::new(policy);
    let container = runtimes.container(&cgroup(Some("docker")), Duration::ZERO).unwrap();
    let named = wait(&container).unwrap();
    let expected = Named {
        runtime: "docker",
        name: Some("docker\u{fffd}monitor".into()),
        image: Some("nginx:1.27".into()),
        ..Named::default()
    };
    assert_eq!(named, expected);
    let again = runtimes.container(&cgroup(Some("docker")), Duration::from_secs(9_999)).unwrap();
    assert!(Arc::ptr_eq(&again, &container), "processes of a container share its names");
    assert_eq!(runtimes.counts(), RuntimeCounts { named: 1, ..RuntimeCounts::default() });
}

#[test]
fn labels_of_kubelet_name_the_pod() {
    let told = answering(
        "docker-pod",
        b"HTTP/1.1 200 OK\r\n\r\n{\"Name\":\"/k8s_web_shop-1_prod\",\"ImageName\":\"shop\",\"Config\":{\"Labels\":\
          {\"io.kubernetes.container.name\":\"web\",\"io.kubernetes.pod.name\":\"shop-1\",\
          \"io.kubernetes.pod.namespace\":\"prod\"}}}",
    );
    let told = told.unwrap();
    assert_eq!((told.name.as_deref(), told.image.as_deref()), (Some("web"), Some("shop")));
    assert_eq!((told.pod.as_deref(), told.namespace.as_deref()), (Some("shop-1"), Some("prod")));
}

#[test]
fn what_is_no_answer_is_refused() {
    let refused = |name, answer: &'static [u8]| answering(name, answer).unwrap_err().to_string();
    assert_eq!(refused("d404", b"HTTP/1.0 404 Not Found\r\n\r\n{}"), "it answered with status 404");
    assert_eq!(refused("dhttp", b"SSH-2.0-x\r\n\r\n"), "its answer is not HTTP that is expected");
    assert_eq!(refused("dhead", b"HTTP/1.0 200 OK\r\n"), "its answer is not HTTP that is expected");
    let deep = {
        let mut deep = b"HTTP/1.0 200 OK\r\n\r\n{\"x\":".to_vec();
        deep.extend(vec![b'['; 100_000]);
        &*deep.leak()
    };
    assert_eq!(refused("ddeep", deep), "its answer is no JSON that is expected");
    let long = {
        let mut long = b"HTTP/1.0 200 OK\r\n\r\n\"".to_vec();
        long.resize((1 << 20) + 1, b'x');
        &*long.leak()
    };
    assert_eq!(refused("dlong", long), "its answer is longer than 1048576 octets");
}

#[test]
fn a_socket_that_drips_or_is_silent_is_left_at_the_deadline() {
    for (name, pause) in [("drip", 20), ("silent", 5_000)] {
        let folder = Folder::new(name);
        let path = folder.socket(move |mut stream, _| {
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(pause));
            }
        });
        let began = Instant::now();
        assert!(matches!(ask_socket(&path), Err(LookupError::Io(_))), "{name}");
        assert!(began.elapsed() < Duration::from_secs(3), "{name}");
    }
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    fs::read_to_string(path).unwrap()
}

fn state_folder(
    folder: &Folder,
    runtime: &'static str,
    file: &'static str,
    text: &str,
) -> StateFolder {
    let path = folder.0.join(ID).join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    StateFolder { runtime, folder: folder.0.clone(), file }
}

#[test]
fn state_of_containerd_and_cri_o_names_container_pod_and_image() {
    for (runtime, file, name) in [
        ("cri-containerd", "config.json", "containerd-config.json"),
        ("crio", "userdata/config.json", "crio-config.json"),
    ] {
        let folder = Folder::new(name);
        let state = state_folder(&folder, runtime, file, &fixture(name));
        let policy = RuntimePolicy { folders: vec![state], ..RuntimePolicy::none() };
        // A path without the runtime's word: all are asked.
        let mut runtimes = Runtimes::new(policy);
        let container = runtimes.container(&cgroup(None), Duration::ZERO).unwrap();
        let expected = Named {
            runtime,
            name: Some("web".into()),
            image: Some("registry.example/shop/web:1.4".into()),
            pod: Some("shop-5d9c7".into()),
            namespace: Some("prod".into()),
        };
        assert_eq!(wait(&container), Some(expected));
    }
}

#[test]
fn the_list_of_podman_names_container_and_image() {
    let folder = Folder::new("podman-list");
    let (path, other) = (folder.0.join("containers.json"), format!("{:064x}", 7));
    fs::write(&path, fixture("podman-containers.json")).unwrap();
    let missing = folder.0.join("volatile-containers.json");
    let policy = RuntimePolicy {
        lists: vec![("libpod", missing), ("libpod", path.clone())],
        ..RuntimePolicy::none()
    };
    let named = look_up(ID, Some("libpod"), &policy).unwrap();
    assert_eq!((named.runtime, named.name.as_deref()), ("libpod", Some("shop")));
    assert_eq!(named.image.as_deref(), Some("registry.example/shop:7"));
    assert_eq!(look_up(&other, None, &policy), None);
    let broken = list::read(&path, &format!("{:064x}", 9)).unwrap();
    assert_eq!((broken.name.as_deref(), broken.image), (Some("no-image"), None));
    fs::write(&path, vec![b' '; (4 << 20) + 1]).unwrap();
    assert!(matches!(list::read(&path, ID), Err(LookupError::TooLong(_))));
}

#[test]
fn a_container_that_nobody_knows_is_asked_for_again_later_and_less_often() {
    let folder = Folder::new("unknown");
    let policy = RuntimePolicy {
        folders: vec![StateFolder {
            runtime: "crio",
            folder: folder.0.clone(),
            file: "config.json",
        }],
        sockets: vec![("docker", folder.0.join("none.sock"))],
        ..RuntimePolicy::none()
    };
    let mut runtimes = Runtimes::new(policy);
    let mut ask = |second| {
        let at = Duration::from_secs(second);
        assert_eq!(wait(&runtimes.container(&cgroup(Some("crio")), at).unwrap()), None);
        runtimes.counts().unknown
    };
    assert_eq!((ask(0), ask(4), ask(5), ask(24), ask(25)), (1, 1, 2, 2, 3));
    // It is there by now: names that were missing appear.
    state_folder(&folder, "crio", "config.json", &fixture("crio-config.json"));
    let container = runtimes.container(&cgroup(Some("crio")), Duration::from_secs(999)).unwrap();
    assert_eq!(wait(&container).and_then(|named| named.pod).as_deref(), Some("shop-5d9c7"));
}

#[test]
fn look_ups_that_cannot_wait_are_refused_and_counted() {
    let folder = Folder::new("full");
    let path = folder.0.join("runtime.sock");
    // Nobody accepts, so the first look-up lasts for as long as patience does.
    let _listener = UnixListener::bind(&path).unwrap();
    let policy = RuntimePolicy {
        sockets: vec![("docker", path)],
        patience: Duration::from_secs(5),
        ..RuntimePolicy::none()
    };
    let mut runtimes = Runtimes::new(policy);
    let began = Instant::now();
    for number in 0..WAITING_MAX + 10 {
        let id = Some(format!("{number:064x}"));
        let cgroup = Cgroup { container_id: id, ..Cgroup::default() };
        assert!(runtimes.container(&cgroup, Duration::ZERO).is_some());
    }
    assert!(began.elapsed() < Duration::from_secs(2), "metering never waits");
    assert!(matches!(runtimes.counts().refused, 9 | 10), "{:?}", runtimes.counts());
}

#[test]
fn containers_past_the_bound_are_forgotten_and_counted() {
    let folder = StateFolder { runtime: "crio", folder: PathBuf::from("/nowhere"), file: "x" };
    let mut runtimes =
        Runtimes::new(RuntimePolicy { folders: vec![folder], ..RuntimePolicy::none() });
    let mut held = Vec::new();
    for number in 0..CONTAINERS_MAX + 5 {
        let id = Some(format!("{number:064x}"));
        let cgroup = Cgroup { container_id: id, ..Cgroup::default() };
        held.push(runtimes.container(&cgroup, Duration::ZERO));
    }
    assert_eq!((runtimes.known.len(), runtimes.counts().evicted), (CONTAINERS_MAX, 5));
}

#[test]
fn switched_off_nobody_is_asked() {
    let mut runtimes = Runtimes::new(RuntimePolicy::none());
    assert!(runtimes.container(&cgroup(Some("docker")), Duration::ZERO).is_none());
    assert!(runtimes.thread.is_none());
}
