//! Bounds of an embedded store: memory, files and history.

/// Sizes, all in bytes unless their name says otherwise. The default suits a whole server in 60 MiB.
#[derive(Clone, Debug)]
pub struct Options {
    /// A new segment of the log begins past this size; history is dropped in whole segments.
    pub segment_bytes: u64,
    /// Past this size of the log, its oldest segments are compacted without being asked.
    pub history_bytes_max: u64,
    /// The newest events kept in memory, for watches and snapshots.
    pub ring_bytes_max: usize,
    /// The newest events kept in memory, as a number.
    pub ring_events_max: usize,
    /// Changes kept in memory before they are moved to the table. Writers wait at twice this size.
    pub memory_bytes: usize,
    /// The cache of the table.
    pub table_cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 4 << 20,
            history_bytes_max: 256 << 20,
            ring_bytes_max: 8 << 20,
            ring_events_max: 16 << 10,
            memory_bytes: 4 << 20,
            table_cache_bytes: 8 << 20,
        }
    }
}
