//! The same story from many seeds, with everything going wrong that can: conflicts, lost connections and answers,
//! cut watches, and controllers that crash at random moments. It must end as it does in a calm world.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use testkit::{Odds, World, simulate};

/// Seeds of one test; `SEEDS` in the environment asks for more.
const SEEDS: u64 = 50;

fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok());
    let first = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
    match first {
        Some(first) => first..first + asked.unwrap_or(1),
        None => 0..asked.unwrap_or(SEEDS),
    }
}

/// Crashes the controllers a few times at random moments.
async fn crash_sometimes(world: &mut World) {
    for _ in 0..world.draw(6) {
        let pause = Duration::from_millis(world.draw(8_000));
        world.pass(pause).await;
        world.crash_controllers();
    }
}

const TASK_RUNS: &str = "
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: good}
spec: {taskSpec: {results: [{name: out}], steps: [{name: one, image: fake, script: \"sleep 3\\nresult out=x\"}]}}
---
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: bad}
spec: {retries: 1, taskSpec: {steps: [{name: one, image: fake, script: \"sleep 2\\nexit 1\"}]}}
---
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: slow}
spec: {timeout: 60s, taskSpec: {steps: [{name: one, image: fake, script: hang}]}}
";

/// Runs one story for every seed, and sees to it that something went wrong.
fn in_rough_worlds(story: impl AsyncFn(World) -> World) {
    let injected = AtomicU64::new(0);
    for seed in seeds() {
        simulate(seed, Odds::rough(), async |world| {
            let world = story(world).await;
            injected.fetch_add(world.faults.injected(), Ordering::Relaxed);
            world
        });
    }
    assert!(injected.into_inner() > 0, "nothing went wrong");
}

#[test]
fn task_runs_end_as_in_a_calm_world_whatever_goes_wrong() {
    in_rough_worlds(async |mut world| {
        world.apply("root", TASK_RUNS).await;
        crash_sometimes(&mut world).await;
        let mut verdicts = Vec::new();
        for name in ["good", "bad", "slow"] {
            let run = world.ended("root", "TaskRun", name).await;
            verdicts.push(World::verdict(&run));
        }
        let expected = ["True Succeeded", "False StepFailed", "False TaskRunTimeout"];
        assert_eq!(verdicts, expected, "seed {}", world.seed);
        world
    });
}

const PIPELINE_RUN: &str = "
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: p}
spec:
  pipelineSpec:
    tasks:
    - name: a
      taskSpec: {results: [{name: out}], steps: [{name: s, image: fake, script: \"sleep 1\\nresult out=1\"}]}
    - name: b
      retries: 1
      params: [{name: in, value: $(tasks.a.results.out)}]
      taskSpec:
        params: [{name: in}]
        results: [{name: out}]
        steps: [{name: s, image: fake, script: \"sleep 2\\nresult out=$(params.in)2\\nfail-before 1\"}]
    - name: c
      when: [{input: $(tasks.a.results.out), operator: in, values: ['2']}]
      taskSpec: {steps: [{name: s, image: fake, script: exit 1}]}
    - name: d
      runAfter: [b, c]
      taskSpec: {steps: [{name: s, image: fake, script: exit 0}]}
    finally:
    - name: f
      taskSpec: {steps: [{name: s, image: fake, script: sleep 1}]}
    results: [{name: r, value: $(tasks.b.results.out)}]
";

#[test]
fn a_pipeline_run_ends_as_in_a_calm_world_whatever_goes_wrong() {
    in_rough_worlds(async |mut world| {
        world.apply("root", PIPELINE_RUN).await;
        crash_sometimes(&mut world).await;
        let run = world.ended("root", "PipelineRun", "p").await;
        assert_eq!(World::verdict(&run), "True Completed", "seed {}: {run:#}", world.seed);
        assert_eq!(run["status"]["results"][0]["value"], "12", "seed {}", world.seed);
        world
    });
}
