//! TaskRuns as stories: a run in, what happens to its Pod, and the plans that follow as text.

mod pods;
mod runs;
mod story;
