//! The counter structures: number, fields in the order of the wire. Data, not logic; the sources
//! are the structure texts of sflow.org and, for names, sflowtool and Host sFlow.

/// How a field is encoded and which value column it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 32 bits, to `value`.
    U32,
    /// 64 bits, to `value`.
    U64,
    /// 32 bits signed, to `value_f`.
    I32,
    /// IEEE 754 single, to `value_f`.
    F32,
    /// Hundredths of a percent, to `value_f` as percent.
    Percent,
    /// Length and octets, to `value_text`.
    Text,
    /// Six octets padded to eight, to `value_text`.
    Mac,
    /// Sixteen octets, to `value_text`.
    Uuid,
    /// A single octet; four of them stand together. To `value`.
    Octet,
}

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name of its rows.
    pub name: &'static str,
    /// Encoding.
    pub kind: Kind,
}

/// One structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure {
    /// enterprise << 12 | format.
    pub id: u32,
    /// Fields of fixed number; lists may follow.
    pub fields: &'static [Field],
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

macro_rules! structures {
    ($($(#[doc = $doc:literal])* $enterprise:literal:$format:literal [$($name:literal $kind:ident),* $(,)?];)*) => {
        /// Every structure with named fields, in the order of their numbers.
        pub static STRUCTURES: &[Structure] = &[$(Structure {
            id: $enterprise << 12 | $format,
            fields: &[$(field($name, Kind::$kind)),*],
        }),*];
    };
}

structures! {
    /// Interface (if_counters).
    0:1 [
        "ifIndex" U32, "networkType" U32, "ifSpeed" U64, "ifDirection" U32, "ifStatus" U32,
        "ifInOctets" U64, "ifInUcastPkts" U32, "ifInMulticastPkts" U32,
        "ifInBroadcastPkts" U32, "ifInDiscards" U32, "ifInErrors" U32, "ifInUnknownProtos" U32,
        "ifOutOctets" U64, "ifOutUcastPkts" U32, "ifOutMulticastPkts" U32,
        "ifOutBroadcastPkts" U32, "ifOutDiscards" U32, "ifOutErrors" U32,
        "ifPromiscuousMode" U32,
    ];
    /// Ethernet.
    0:2 [
        "dot3StatsAlignmentErrors" U32, "dot3StatsFCSErrors" U32,
        "dot3StatsSingleCollisionFrames" U32, "dot3StatsMultipleCollisionFrames" U32,
        "dot3StatsSQETestErrors" U32, "dot3StatsDeferredTransmissions" U32,
        "dot3StatsLateCollisions" U32, "dot3StatsExcessiveCollisions" U32,
        "dot3StatsInternalMacTransmitErrors" U32, "dot3StatsCarrierSenseErrors" U32,
        "dot3StatsFrameTooLongs" U32, "dot3StatsInternalMacReceiveErrors" U32,
        "dot3StatsSymbolErrors" U32,
    ];
    /// Token ring.
    0:3 [
        "dot5StatsLineErrors" U32, "dot5StatsBurstErrors" U32, "dot5StatsACErrors" U32,
        "dot5StatsAbortTransErrors" U32, "dot5StatsInternalErrors" U32,
        "dot5StatsLostFrameErrors" U32, "dot5StatsReceiveCongestions" U32,
        "dot5StatsFrameCopiedErrors" U32, "dot5StatsTokenErrors" U32,
        "dot5StatsSoftErrors" U32, "dot5StatsHardErrors" U32, "dot5StatsSignalLoss" U32,
        "dot5StatsTransmitBeacons" U32, "dot5StatsRecoverys" U32, "dot5StatsLobeWires" U32,
        "dot5StatsRemoves" U32, "dot5StatsSingles" U32, "dot5StatsFreqErrors" U32,
    ];
    /// 100BaseVG.
    0:4 [
        "dot12InHighPriorityFrames" U32, "dot12InHighPriorityOctets" U64,
        "dot12InNormPriorityFrames" U32, "dot12InNormPriorityOctets" U64,
        "dot12InIPMErrors" U32, "dot12InOversizeFrameErrors" U32, "dot12InDataErrors" U32,
        "dot12InNullAddressedFrames" U32, "dot12OutHighPriorityFrames" U32,
        "dot12OutHighPriorityOctets" U64, "dot12TransitionIntoTrainings" U32,
        "dot12HCInHighPriorityOctets" U64, "dot12HCInNormPriorityOctets" U64,
        "dot12HCOutHighPriorityOctets" U64,
    ];
    /// VLAN.
    0:5 [
        "in_vlan" U32, "octets" U64, "ucastPkts" U32, "multicastPkts" U32, "broadcastPkts" U32,
        "discards" U32,
    ];
    /// 802.11.
    0:6 [
        "dot11TransmittedFragmentCount" U32, "dot11MulticastTransmittedFrameCount" U32,
        "dot11FailedCount" U32, "dot11RetryCount" U32, "dot11MultipleRetryCount" U32,
        "dot11FrameDuplicateCount" U32, "dot11RTSSuccessCount" U32, "dot11RTSFailureCount" U32,
        "dot11ACKFailureCount" U32, "dot11ReceivedFragmentCount" U32,
        "dot11MulticastReceivedFrameCount" U32, "dot11FCSErrorCount" U32,
        "dot11TransmittedFrameCount" U32, "dot11WEPUndecryptableCount" U32,
        "dot11QoSDiscardedFragmentCount" U32, "dot11AssociatedStationCount" U32,
        "dot11QoSCFPollsReceivedCount" U32, "dot11QoSCFPollsUnusedCount" U32,
        "dot11QoSCFPollsUnusableCount" U32, "dot11QoSCFPollsLostCount" U32,
    ];
    /// Link aggregation.
    0:7 [
        "dot3adAggPortActorSystemID" Mac, "dot3adAggPortPartnerOperSystemID" Mac,
        "dot3adAggPortAttachedAggID" U32, "dot3adAggPortActorAdminState" Octet,
        "dot3adAggPortActorOperState" Octet, "dot3adAggPortPartnerAdminState" Octet,
        "dot3adAggPortPartnerOperState" Octet, "dot3adAggPortStatsLACPDUsRx" U32,
        "dot3adAggPortStatsMarkerPDUsRx" U32, "dot3adAggPortStatsMarkerResponsePDUsRx" U32,
        "dot3adAggPortStatsUnknownRx" U32, "dot3adAggPortStatsIllegalRx" U32,
        "dot3adAggPortStatsLACPDUsTx" U32, "dot3adAggPortStatsMarkerPDUsTx" U32,
        "dot3adAggPortStatsMarkerResponsePDUsTx" U32,
    ];
    /// InfiniBand port.
    0:9 [
        "PortXmitData" U64, "PortRcvData" U64, "SymbolErrorCounter" U32,
        "LinkErrorRecoveryCounter" U32, "LinkDownedCounter" U32, "PortRcvErrors" U32,
        "PortRcvRemotePhysicalErrors" U32, "PortRcvSwitchRelayErrors" U32,
        "PortXmitDiscards" U32, "PortXmitConstraintErrors" U32, "PortRcvConstraintErrors" U32,
        "LocalLinkIntegrityErrors" U32, "ExcessiveBufferOverrunErrors" U32, "VL15Dropped" U32,
    ];
    /// Optical module; its lanes follow.
    0:10 [
        "sfp_module_id" U32, "sfp_module_total_lanes" U32, "sfp_module_supply_voltage_mV" U32,
        "sfp_module_temperature_mC" I32,
    ];
    /// Priority flow control.
    0:11 [
        "pfc_requests" U32, "pfc_indications" U32, "pfc_pause_us" U32,
        "pfc_storm_detected" U32, "pfc_storm_restored" U32,
    ];
    /// Processor.
    0:1001 [
        "5s_cpu" Percent, "1m_cpu" Percent, "5m_cpu" Percent, "total_memory_bytes" U64,
        "free_memory_bytes" U64,
    ];
    /// Radio.
    0:1002 [
        "radio_elapsed_time" U32, "radio_on_channel_time" U32,
        "radio_on_channel_busy_time" U32,
    ];
    /// OpenFlow port.
    0:1004 [
        "openflow_datapath_id" U64, "openflow_port" U32,
    ];
    /// Port name.
    0:1005 [
        "ifName" Text,
    ];
    /// Host.
    0:2000 [
        "hostname" Text, "UUID" Uuid, "machine_type" U32, "os_name" U32, "os_release" Text,
    ];
    /// Adapters: a list.
    0:2001 [];
    /// Parent of a virtual host.
    0:2002 [
        "parent_dsClass" U32, "parent_dsIndex" U32,
    ];
    /// Processor of a host; agents before 2012 end at `contexts`.
    0:2003 [
        "load_one" F32, "load_five" F32, "load_fifteen" F32, "proc_run" U32, "proc_total" U32,
        "cpu_num" U32, "cpu_speed" U32, "uptime" U32, "cpu_user" U32, "cpu_nice" U32,
        "cpu_system" U32, "cpu_idle" U32, "cpu_wio" U32, "cpu_intr" U32, "cpu_sintr" U32,
        "interrupts" U32, "contexts" U32, "cpu_steal" U32, "cpu_guest" U32,
        "cpu_guest_nice" U32,
    ];
    /// Memory of a host.
    0:2004 [
        "mem_total" U64, "mem_free" U64, "mem_shared" U64, "mem_buffers" U64, "mem_cached" U64,
        "swap_total" U64, "swap_free" U64, "page_in" U32, "page_out" U32, "swap_in" U32,
        "swap_out" U32,
    ];
    /// Disks of a host.
    0:2005 [
        "disk_total" U64, "disk_free" U64, "part_max_used" Percent, "reads" U32,
        "bytes_read" U64, "read_time" U32, "writes" U32, "bytes_written" U64, "write_time" U32,
    ];
    /// Network of a host.
    0:2006 [
        "bytes_in" U64, "pkts_in" U32, "errs_in" U32, "drops_in" U32, "bytes_out" U64,
        "pkts_out" U32, "errs_out" U32, "drops_out" U32,
    ];
    /// IP (MIB-II).
    0:2007 [
        "ipForwarding" U32, "ipDefaultTTL" U32, "ipInReceives" U32, "ipInHdrErrors" U32,
        "ipInAddrErrors" U32, "ipForwDatagrams" U32, "ipInUnknownProtos" U32,
        "ipInDiscards" U32, "ipInDelivers" U32, "ipOutRequests" U32, "ipOutDiscards" U32,
        "ipOutNoRoutes" U32, "ipReasmTimeout" U32, "ipReasmReqds" U32, "ipReasmOKs" U32,
        "ipReasmFails" U32, "ipFragOKs" U32, "ipFragFails" U32, "ipFragCreates" U32,
    ];
    /// ICMP (MIB-II).
    0:2008 [
        "icmpInMsgs" U32, "icmpInErrors" U32, "icmpInDestUnreachs" U32, "icmpInTimeExcds" U32,
        "icmpInParamProbs" U32, "icmpInSrcQuenchs" U32, "icmpInRedirects" U32,
        "icmpInEchos" U32, "icmpInEchoReps" U32, "icmpInTimestamps" U32, "icmpInAddrMasks" U32,
        "icmpInAddrMaskReps" U32, "icmpOutMsgs" U32, "icmpOutErrors" U32,
        "icmpOutDestUnreachs" U32, "icmpOutTimeExcds" U32, "icmpOutParamProbs" U32,
        "icmpOutSrcQuenchs" U32, "icmpOutRedirects" U32, "icmpOutEchos" U32,
        "icmpOutEchoReps" U32, "icmpOutTimestamps" U32, "icmpOutTimestampReps" U32,
        "icmpOutAddrMasks" U32, "icmpOutAddrMaskReps" U32,
    ];
    /// TCP (MIB-II).
    0:2009 [
        "tcpRtoAlgorithm" U32, "tcpRtoMin" U32, "tcpRtoMax" U32, "tcpMaxConn" U32,
        "tcpActiveOpens" U32, "tcpPassiveOpens" U32, "tcpAttemptFails" U32,
        "tcpEstabResets" U32, "tcpCurrEstab" U32, "tcpInSegs" U32, "tcpOutSegs" U32,
        "tcpRetransSegs" U32, "tcpInErrs" U32, "tcpOutRsts" U32, "tcpInCsumErrs" U32,
    ];
    /// UDP (MIB-II).
    0:2010 [
        "udpInDatagrams" U32, "udpNoPorts" U32, "udpInErrors" U32, "udpOutDatagrams" U32,
        "udpRcvbufErrors" U32, "udpSndbufErrors" U32, "udpInCsumErrors" U32,
    ];
    /// Virtualisation node.
    0:2100 [
        "vnode_mhz" U32, "vnode_cpus" U32, "vnode_memory" U64, "vnode_memory_free" U64,
        "vnode_num_domains" U32,
    ];
    /// Processor of a virtual host.
    0:2101 [
        "vcpu_state" U32, "vcpu_cpu_mS" U32, "vcpu_cpuCount" U32,
    ];
    /// Memory of a virtual host.
    0:2102 [
        "vmem_memory" U64, "vmem_maxMemory" U64,
    ];
    /// Disks of a virtual host.
    0:2103 [
        "vdsk_capacity" U64, "vdsk_allocation" U64, "vdsk_available" U64, "vdsk_rd_req" U32,
        "vdsk_rd_bytes" U64, "vdsk_wr_req" U32, "vdsk_wr_bytes" U64, "vdsk_errs" U32,
    ];
    /// Network of a virtual host.
    0:2104 [
        "vnio_bytes_in" U64, "vnio_pkts_in" U32, "vnio_errs_in" U32, "vnio_drops_in" U32,
        "vnio_bytes_out" U64, "vnio_pkts_out" U32, "vnio_errs_out" U32, "vnio_drops_out" U32,
    ];
    /// Java runtime.
    0:2105 [
        "jvm_name" Text, "jvm_vendor" Text, "jvm_version" Text,
    ];
    /// Java statistics.
    0:2106 [
        "jvm_heap_initial" U64, "jvm_heap_used" U64, "jvm_heap_committed" U64,
        "jvm_heap_max" U64, "jvm_non_heap_initial" U64, "jvm_non_heap_used" U64,
        "jvm_non_heap_committed" U64, "jvm_non_heap_max" U64, "jvm_gc_count" U32,
        "jvm_gc_ms" U32, "jvm_classes_loaded" U32, "jvm_classes_total" U32,
        "jvm_classes_unloaded" U32, "jvm_comp_ms" U32, "jvm_threads_live" U32,
        "jvm_threads_daemon" U32, "jvm_threads_started" U32, "jvm_fds_open" U32,
        "jvm_fds_max" U32,
    ];
    /// Memcached, the first form.
    0:2200 [
        "memcache_uptime" U32, "memcache_rusage_user" U32, "memcache_rusage_system" U32,
        "memcache_curr_connections" U32, "memcache_total_connections" U32,
        "memcache_connection_structures" U32, "memcache_cmd_get" U32, "memcache_cmd_set" U32,
        "memcache_cmd_flush" U32, "memcache_get_hits" U32, "memcache_get_misses" U32,
        "memcache_delete_misses" U32, "memcache_delete_hits" U32, "memcache_incr_misses" U32,
        "memcache_incr_hits" U32, "memcache_decr_misses" U32, "memcache_decr_hits" U32,
        "memcache_cas_misses" U32, "memcache_cas_hits" U32, "memcache_cas_badval" U32,
        "memcache_auth_cmds" U32, "memcache_auth_errors" U32, "memcache_bytes_read" U64,
        "memcache_bytes_written" U64, "memcache_limit_maxbytes" U32,
        "memcache_accepting_conns" U32, "memcache_listen_disabled_num" U32,
        "memcache_threads" U32, "memcache_conn_yields" U32, "memcache_bytes" U64,
        "memcache_curr_items" U32, "memcache_total_items" U32, "memcache_evictions" U32,
    ];
    /// HTTP server.
    0:2201 [
        "http_method_option_count" U32, "http_method_get_count" U32,
        "http_method_head_count" U32, "http_method_post_count" U32,
        "http_method_put_count" U32, "http_method_delete_count" U32,
        "http_method_trace_count" U32, "http_method_connect_count" U32,
        "http_method_other_count" U32, "http_status_1XX_count" U32,
        "http_status_2XX_count" U32, "http_status_3XX_count" U32, "http_status_4XX_count" U32,
        "http_status_5XX_count" U32, "http_status_other_count" U32,
    ];
    /// Operations of an application.
    0:2202 [
        "application" Text, "status_OK" U32, "errors_OTHER" U32, "errors_TIMEOUT" U32,
        "errors_INTERNAL_ERROR" U32, "errors_BAD_REQUEST" U32, "errors_FORBIDDEN" U32,
        "errors_TOO_LARGE" U32, "errors_NOT_IMPLEMENTED" U32, "errors_NOT_FOUND" U32,
        "errors_UNAVAILABLE" U32, "errors_UNAUTHORIZED" U32,
    ];
    /// Resources of an application.
    0:2203 [
        "user_time" U32, "system_time" U32, "mem_used" U64, "mem_max" U64, "fd_open" U32,
        "fd_max" U32, "conn_open" U32, "conn_max" U32,
    ];
    /// Memcached.
    0:2204 [
        "memcache_cmd_set" U32, "memcache_cmd_touch" U32, "memcache_cmd_flush" U32,
        "memcache_get_hits" U32, "memcache_get_misses" U32, "memcache_delete_hits" U32,
        "memcache_delete_misses" U32, "memcache_incr_hits" U32, "memcache_incr_misses" U32,
        "memcache_decr_hits" U32, "memcache_decr_misses" U32, "memcache_cas_hits" U32,
        "memcache_cas_misses" U32, "memcache_cas_badval" U32, "memcache_auth_cmds" U32,
        "memcache_auth_errors" U32, "memcache_threads" U32, "memcache_conn_yields" U32,
        "memcache_listen_disabled_num" U32, "memcache_curr_connections" U32,
        "memcache_rejected_connections" U32, "memcache_total_connections" U32,
        "memcache_connection_structures" U32, "memcache_evictions" U32,
        "memcache_reclaimed" U32, "memcache_curr_items" U32, "memcache_total_items" U32,
        "memcache_bytes_read" U64, "memcache_bytes_written" U64, "memcache_bytes" U64,
        "memcache_limit_maxbytes" U64,
    ];
    /// Virtual desktops.
    0:2205 [
        "vdi_sessions_current" U32, "vdi_sessions_total" U32, "vdi_sessions_duration" U32,
        "vdi_rx_bytes" U32, "vdi_tx_bytes" U32, "vdi_rx_packets" U32, "vdi_tx_packets" U32,
        "vdi_rx_packets_lost" U32, "vdi_tx_packets_lost" U32, "vdi_rtt_min_ms" U32,
        "vdi_rtt_max_ms" U32, "vdi_rtt_avg_ms" U32, "vdi_audio_rx_bytes" U32,
        "vdi_audio_tx_bytes" U32, "vdi_audio_tx_limit" U32, "vdi_img_rx_bytes" U32,
        "vdi_img_tx_bytes" U32, "vdi_img_frames" U32, "vdi_img_qual_min" U32,
        "vdi_img_qual_max" U32, "vdi_img_qual_avg" U32, "vdi_usb_rx_bytes" U32,
        "vdi_usb_tx_bytes" U32,
    ];
    /// Workers of an application.
    0:2206 [
        "workers_active" U32, "workers_idle" U32, "workers_max" U32, "req_delayed" U32,
        "req_dropped" U32,
    ];
    /// Datapath of Open vSwitch.
    0:2207 [
        "dp_hits" U32, "dp_misses" U32, "dp_lost" U32, "dp_mask_hits" U32, "dp_flows" U32,
        "dp_masks" U32,
    ];
    /// Energy.
    0:3000 [
        "energy_voltage" U32, "energy_current" U32, "energy_real_power" U32,
        "energy_power_factor" U32, "energy_energy" U32, "energy_errors" U32,
    ];
    /// Temperature.
    0:3001 [
        "temperature_min" U32, "temperature_max" U32, "temperature_errors" U32,
    ];
    /// Humidity.
    0:3002 [
        "humidity_relative" U32,
    ];
    /// Fans.
    0:3003 [
        "fans_total" U32, "fans_failed" U32, "fans_speed" U32,
    ];
    /// Broadcom device buffers.
    4413:1 [
        "bst_unicast_buffers" Percent, "bst_multicast_buffers" Percent,
    ];
    /// Broadcom port buffers; two lists follow.
    4413:2 [
        "bst_ingress_unicast_buffers" Percent, "bst_ingress_multicast_buffers" Percent,
        "bst_egress_unicast_buffers" Percent, "bst_egress_multicast_buffers" Percent,
    ];
    /// Broadcom tables.
    4413:3 [
        "bcm_host_entries" U32, "bcm_host_entries_max" U32, "bcm_ipv4_entries" U32,
        "bcm_ipv4_entries_max" U32, "bcm_ipv6_entries" U32, "bcm_ipv6_entries_max" U32,
        "bcm_ipv4_ipv6_entries" U32, "bcm_ipv4_ipv6_entries_max" U32,
        "bcm_long_ipv6_entries" U32, "bcm_long_ipv6_entries_max" U32, "bcm_total_routes" U32,
        "bcm_total_routes_max" U32, "bcm_ecmp_nexthops" U32, "bcm_ecmp_nexthops_max" U32,
        "bcm_mac_entries" U32, "bcm_mac_entries_max" U32, "bcm_ipv4_neighbors" U32,
        "bcm_ipv6_neighbors" U32, "bcm_ipv4_routes" U32, "bcm_ipv6_routes" U32,
        "bcm_acl_ingress_entries" U32, "bcm_acl_ingress_entries_max" U32,
        "bcm_acl_ingress_counters" U32, "bcm_acl_ingress_counters_max" U32,
        "bcm_acl_ingress_meters" U32, "bcm_acl_ingress_meters_max" U32,
        "bcm_acl_ingress_slices" U32, "bcm_acl_ingress_slices_max" U32,
        "bcm_acl_egress_entries" U32, "bcm_acl_egress_entries_max" U32,
        "bcm_acl_egress_counters" U32, "bcm_acl_egress_counters_max" U32,
        "bcm_acl_egress_meters" U32, "bcm_acl_egress_meters_max" U32,
        "bcm_acl_egress_slices" U32, "bcm_acl_egress_slices_max" U32,
    ];
    /// NVIDIA processors.
    5703:1 [
        "nvml_device_count" U32, "nvml_processes" U32, "nvml_gpu_ms" U32, "nvml_mem_ms" U32,
        "nvml_mem_bytes_total" U64, "nvml_mem_bytes_free" U64, "nvml_ecc_errors" U32,
        "nvml_energy_mJ" U32, "nvml_temperature_C" U32, "nvml_fan_speed_pc" U32,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn structures_are_sorted_and_their_fields_named_once() {
        assert!(STRUCTURES.windows(2).all(|pair| pair[0].id < pair[1].id));
        for structure in STRUCTURES {
            let names: HashSet<_> = structure.fields.iter().map(|field| field.name).collect();
            assert_eq!(names.len(), structure.fields.len(), "structure {}", structure.id);
        }
    }

    #[test]
    fn bodies_have_the_lengths_of_the_specifications() {
        let length = |id: u32| {
            let at = STRUCTURES.binary_search_by_key(&id, |known| known.id).unwrap();
            let width = |kind| match kind {
                Kind::U64 | Kind::Mac => 8,
                Kind::Uuid => 16,
                Kind::Octet => 1,
                _ => 4,
            };
            STRUCTURES[at].fields.iter().map(|field| width(field.kind)).sum::<usize>()
        };
        let known = [(1, 88), (2, 52), (5, 28), (6, 80), (7, 56), (9, 64), (11, 20), (1001, 28)];
        for (id, octets) in known {
            assert_eq!(length(id), octets, "structure {id}");
        }
        for (id, octets) in [(2003, 80), (2004, 72), (2005, 52), (2006, 40), (2007, 76)] {
            assert_eq!(length(id), octets, "structure {id}");
        }
        for (id, octets) in [(2008, 100), (2009, 60), (2010, 28), (2103, 52), (2106, 108)] {
            assert_eq!(length(id), octets, "structure {id}");
        }
        assert_eq!(length(4413 << 12 | 3), 144);
        assert_eq!(length(5703 << 12 | 1), 48);
    }
}
