//! BPF: what the tiers that are made of it share. Objects are compiled by `build.rs` from the C beside
//! each source, and loaded by `aya`; what it lacks is in [`sys`].
//!
//! Every program returns "next" or "allow": none of them changes what happens to a packet. Links die
//! with this process, so nothing stays on the machine.

pub(crate) mod fields;
pub(crate) mod pair;
pub(crate) mod sys;

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use aya::maps::Map;
use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, CgroupSockAddr,
    Iter, Program, ProgramError, SchedClassifier, SockOps,
};
use aya::{Btf, Ebpf, EbpfLoader};
use rustix::thread::{CapabilitySet, capabilities};

/// Why BPF does not run here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BpfError {
    #[error("it needs {0}")]
    NotPermitted(&'static str),
    #[error(
        "the kernel has no BTF at /sys/kernel/btf/vmlinux: one built with CONFIG_DEBUG_INFO_BTF does"
    )]
    NoBtf(#[source] aya::BtfError),
    #[error("no cgroup v2 is mounted: `mount -t cgroup2 none /sys/fs/cgroup` mounts it")]
    NoCgroup,
    #[error("{path}: {source}")]
    Cgroup {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}", root(.0.as_ref()))]
    Object(#[source] Box<aya::EbpfError>),
    #[error("program {name}: {}", cause(source))]
    Program {
        name: &'static str,
        #[source]
        source: Box<ProgramError>,
    },
    #[error("the object has no {0}")]
    Absent(&'static str),
    #[error("{call}: {source}")]
    System {
        call: &'static str,
        #[source]
        source: std::io::Error,
    },
}

impl BpfError {
    /// Its text, with what programs need where that may be what is missing.
    pub(crate) fn with_needs(&self, needs: &str) -> String {
        match self {
            BpfError::NotPermitted(_) => format!("it needs {needs}"),
            BpfError::NoBtf(_) | BpfError::NoCgroup | BpfError::Absent(_) => self.to_string(),
            _ => format!("{self} (it needs {needs})"),
        }
    }
}

/// An error with what is behind it: what was done, and what the kernel said.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    format!("{error}: {last}")
}

/// What the kernel said, without its log of hundreds of lines.
fn cause(error: &ProgramError) -> String {
    let io = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            // The verifier's last words but its statistics.
            let said = log.lines().rev().find(|line| {
                !line.is_empty()
                    && !line.starts_with("processed ")
                    && !line.starts_with("verification")
                    && !line.starts_with("stack depth")
            });
            return match said {
                Some(said) => format!("{io_error}: {said}"),
                None => io_error.to_string(),
            };
        }
        ProgramError::SyscallError(error) => &error.io_error,
        other => return other.to_string(),
    };
    io.to_string()
}

/// The kernel's types, by which programs find the fields that they read. Some 60 MB while they are
/// held: they are let go of as soon as every program is attached.
pub(crate) struct Types(Btf);

impl Types {
    /// Reads them, if this process may load programs at all.
    pub(crate) fn read() -> Result<Types, BpfError> {
        let mine = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        let may = CapabilitySet::BPF | CapabilitySet::PERFMON;
        if !mine.contains(may) && !mine.contains(CapabilitySet::SYS_ADMIN) {
            return Err(BpfError::NotPermitted("CAP_BPF and CAP_PERFMON"));
        }
        Btf::from_sys_fs().map(Types).map_err(BpfError::NoBtf)
    }
}

/// A loaded object: its maps, and programs of which some are attached.
#[derive(Debug)]
pub(crate) struct Object {
    ebpf: Ebpf,
}

impl Object {
    /// Loads the maps and relocates the programs of an object; the programs themselves when attached.
    pub(crate) fn load(
        types: &Types,
        octets: &[u8],
        sizes: &[(&'static str, u32)],
    ) -> Result<Object, BpfError> {
        let mut loader = EbpfLoader::new();
        loader.btf(Some(&types.0));
        for (map, entries) in sizes {
            loader.map_max_entries(map, *entries);
        }
        let ebpf = loader.load(octets).map_err(|error| BpfError::Object(Box::new(error)))?;
        Ok(Object { ebpf })
    }

    pub(crate) fn take_map(&mut self, name: &'static str) -> Result<Map, BpfError> {
        self.ebpf.take_map(name).ok_or(BpfError::Absent(name))
    }

    pub(crate) fn program<'a, P>(&'a mut self, name: &'static str) -> Result<&'a mut P, BpfError>
    where
        &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
    {
        let program = self.ebpf.program_mut(name).ok_or(BpfError::Absent(name))?;
        program.try_into().map_err(|source| failed(name, source))
    }

    /// Attaches what counts the packets of sockets in a control group.
    pub(crate) fn attach_skb(
        &mut self,
        name: &'static str,
        group: &File,
        kind: CgroupSkbAttachType,
    ) -> Result<(), BpfError> {
        let program: &mut CgroupSkb = self.program(name)?;
        let attached =
            program.load().and_then(|()| program.attach(group, kind, CgroupAttachMode::Single));
        attached.map(drop).map_err(|source| failed(name, source))
    }

    /// Attaches what runs when sockets are made, bound or released.
    pub(crate) fn attach_sock(&mut self, name: &'static str, group: &File) -> Result<(), BpfError> {
        let program: &mut CgroupSock = self.program(name)?;
        let attached =
            program.load().and_then(|()| program.attach(group, CgroupAttachMode::Single));
        attached.map(drop).map_err(|source| failed(name, source))
    }

    /// Attaches what runs when sockets are connected.
    pub(crate) fn attach_address(
        &mut self,
        name: &'static str,
        group: &File,
    ) -> Result<(), BpfError> {
        let program: &mut CgroupSockAddr = self.program(name)?;
        let attached =
            program.load().and_then(|()| program.attach(group, CgroupAttachMode::Single));
        attached.map(drop).map_err(|source| failed(name, source))
    }

    /// Attaches what runs when TCP measures a round trip.
    pub(crate) fn attach_ops(&mut self, name: &'static str, group: &File) -> Result<(), BpfError> {
        let program: &mut SockOps = self.program(name)?;
        let attached =
            program.load().and_then(|()| program.attach(group, CgroupAttachMode::Single));
        attached.map(drop).map_err(|source| failed(name, source))
    }

    /// Attaches to a tracepoint with BTF.
    pub(crate) fn attach_tracepoint(
        &mut self,
        types: &Types,
        name: &'static str,
        tracepoint: &'static str,
    ) -> Result<(), BpfError> {
        let program = self.ebpf.program_mut(name).ok_or(BpfError::Absent(name))?;
        let attached = <&mut BtfTracePoint>::try_from(program).and_then(|program| {
            program.load(tracepoint, &types.0)?;
            program.attach()
        });
        attached.map(drop).map_err(|source| failed(name, source))
    }

    /// Loads what looks at the packets of an interface.
    pub(crate) fn load_classifier(&mut self, name: &'static str) -> Result<(), BpfError> {
        let program: &mut SchedClassifier = self.program(name)?;
        program.load().map_err(|source| failed(name, source))
    }

    /// Loads an iterator over `of`; [`sys::iterate`] runs it.
    pub(crate) fn load_iterator(
        &mut self,
        types: &Types,
        name: &'static str,
        of: &'static str,
    ) -> Result<OwnedFd, BpfError> {
        let program = self.ebpf.program_mut(name).ok_or(BpfError::Absent(name))?;
        let program = <&mut Iter>::try_from(program).map_err(|source| failed(name, source))?;
        program.load(of, &types.0).map_err(|source| failed(name, source))?;
        let fd = program.fd().map_err(|source| failed(name, source))?;
        let fd = fd.as_fd().try_clone_to_owned();
        fd.map_err(|source| BpfError::System { call: "dup", source })
    }
}

fn failed(name: &'static str, source: ProgramError) -> BpfError {
    BpfError::Program { name, source: Box::new(source) }
}

/// The descriptor of a map of any kind.
pub(crate) fn map_fd(map: &Map) -> Option<BorrowedFd<'_>> {
    let data = match map {
        Map::HashMap(data) | Map::LruHashMap(data) | Map::SkStorage(data) => data,
        Map::Array(data) | Map::RingBuf(data) | Map::PerCpuArray(data) => data,
        _ => return None,
    };
    Some(data.fd().as_fd())
}

/// Where the hierarchy of control groups of version 2 is mounted.
///
/// On a hybrid machine that is `/sys/fs/cgroup/unified`. The mount whose root is the root of the
/// hierarchy is wanted: one that begins lower, as in a container, does not hold all processes.
pub(crate) fn cgroup_root() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts = text.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut fields = left.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (right.starts_with("cgroup2 ")).then_some((root, point))
    });
    let mut mounts: Vec<(&str, &str)> = mounts.collect();
    mounts.sort_by_key(|(root, _)| root.len());
    mounts.first().map(|(_, point)| PathBuf::from(point))
}

/// Opens the root of the control groups, to attach to.
pub(crate) fn open_cgroup_root() -> Result<File, BpfError> {
    let path = cgroup_root().ok_or(BpfError::NoCgroup)?;
    File::open(&path).map_err(|source| BpfError::Cgroup { path, source })
}
