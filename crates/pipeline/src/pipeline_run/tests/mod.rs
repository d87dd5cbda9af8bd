//! PipelineRuns as sentences: a graph and how its tasks stand in, the plan out as text.

mod graphs;
mod story;
mod whole;
