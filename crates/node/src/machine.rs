//! Facts of this machine that plans depend on, read once.
//! The machine's own user and group files stand for those of the image [`crate::HOST_IMAGE`].

use std::fs;

use linux::privileges::UserIsolation;
use oci_spec::image::{ConfigBuilder, ImageConfiguration};
use sandbox::placement::NodeFacts;
use sandbox::{Image, Machine, Rootfs};

use crate::options::Options;
use crate::pod_dir::Directories;

/// How many processors there are.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Reads the facts.
pub(crate) fn read(options: &Options, directories: &Directories) -> Machine {
    Machine {
        node_name: options.name.clone(),
        host_ip: "127.0.0.1".to_owned(),
        network: options.network,
        user_namespaces: options.isolation == UserIsolation::NamespacePerPod,
        claims_dir: directories.claims.clone(),
        resolv_conf: fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        cpus: u32::try_from(processors()).unwrap_or(u32::MAX),
        memory_bytes: memory_bytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        permissions: options.permissions,
        limits: options.limits,
    }
}

/// What this machine offers to Pods that choose.
pub(crate) fn facts(name: &str) -> NodeFacts {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let cpu_millis = i64::try_from(processors()).unwrap_or(i64::MAX).saturating_mul(1_000);
    let memory = memory_bytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    NodeFacts::new(name, architecture, cpu_millis, i64::try_from(memory).unwrap_or(i64::MAX))
}

fn memory_bytes(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The image that is this machine.
pub(crate) fn host_image() -> Image {
    // Its root's home cannot be written to, and programs want one that can.
    let config =
        ConfigBuilder::default().env(vec!["HOME=/tmp".to_owned()]).working_dir("/".to_owned()).build().ok();
    let mut configuration = ImageConfiguration::default();
    configuration.set_config(config);
    Image {
        rootfs: Rootfs::Host,
        config: configuration,
        passwd: fs::read_to_string("/etc/passwd").unwrap_or_default(),
        group: fs::read_to_string("/etc/group").unwrap_or_default(),
    }
}
