//! The table of controllers, and their start and stop: options, service, handle.
//! Each runs as one supervised task; the end of any of them that nobody asked for ends them all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, ResourceType};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::{Clock, SystemClock};
use crate::controller::{Controller, Cx};
use crate::driver::drive;
use crate::feed::{Feed, Subscriber};
use crate::queue::Queue;
use crate::{
    event_expiry, garbage, namespace, pipeline_run, recorder, service_account, task_run, volume_claim,
    workspace,
};

/// Keys that may be ready in one queue before its feeds wait.
const QUEUE_CAPACITY: usize = 100_000;

/// What controllers are made of.
pub struct Options {
    /// A client whose identity may do everything in all workspaces.
    pub client: Client,
    /// Tells the time that is written into objects.
    pub clock: Arc<dyn Clock>,
    /// Keys that each of the controllers of runs works on at a time.
    pub workers: usize,
    /// The certificates that API servers chain to; every namespace gets them in `kube-root-ca.crt`. `None`
    /// makes no such ConfigMap.
    pub root_ca_pem: Option<String>,
}

impl Options {
    /// Options with the system's clock.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, clock: Arc::new(SystemClock), workers: 16, root_ca_pem: None }
    }
}

/// All controllers, not running yet.
pub struct Service {
    options: Options,
    controllers: Vec<Controller>,
}

impl Service {
    /// All controllers; nothing is started.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let workers = options.workers.max(1);
        let controllers = vec![
            pipeline_run::controller(workers),
            task_run::controller(workers),
            garbage::controller(),
            namespace::controller(),
            service_account::controller(),
            volume_claim::controller(),
            workspace::controller(),
            event_expiry::controller(),
        ];
        Self { options, controllers }
    }

    /// Starts all controllers on the current runtime.
    #[must_use]
    pub fn start(self) -> Handle {
        let (stop, stopping) = watch::channel(false);
        let (recorder, writer) = recorder::recorder(self.options.client.named("psvc-events"));
        let cx = Arc::new(Cx {
            client: self.options.client.clone(),
            clock: self.options.clock,
            recorder,
            root_ca_pem: self.options.root_ca_pem.map(Arc::from),
        });
        let mut tasks = JoinSet::new();
        let mut queues = Vec::new();
        let mut feeds: BTreeMap<ResourceType, Vec<Subscriber>> = BTreeMap::new();
        for controller in self.controllers {
            let queue = Arc::new(Queue::new(QUEUE_CAPACITY));
            for source in &controller.sources {
                let subscriber = Subscriber { route: source.route, queue: Arc::clone(&queue) };
                feeds.entry(source.resource.clone()).or_default().push(subscriber);
            }
            if let Some(first) = &controller.first {
                queue.add(first.clone());
            }
            queues.push((controller.name, Arc::clone(&queue)));
            tasks.spawn(drive(Arc::new(controller), Arc::clone(&cx), queue, stopping.clone()));
        }
        for (resource, subscribers) in feeds {
            let feed = Feed { resource, subscribers };
            tasks.spawn(feed.run(self.options.client.clone(), stopping.clone()));
        }
        tasks.spawn(writer.run(stopping));
        Handle { stop, tasks, queues }
    }
}

/// Controllers that are running. Dropping it aborts them, as a crash would.
pub struct Handle {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    queues: Vec<(&'static str, Arc<Queue>)>,
}

impl Handle {
    /// Stops: no new work is begun, what is under way may finish until the deadline.
    pub async fn stop(mut self, deadline: Duration) {
        self.stop.send_replace(true);
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, drained).await.is_err() {
            tracing::warn!("some reconciles did not end within {deadline:?}; they are aborted");
        }
    }

    /// Waits until a task ends that should not have, and says how.
    pub async fn failed(&mut self) -> String {
        match self.tasks.join_next().await {
            Some(Err(error)) => format!("a controller's task failed: {error}"),
            Some(Ok(())) => "a controller's task ended".to_owned(),
            None => "no controller is running".to_owned(),
        }
    }

    /// Whether no key is ready or being worked on; timers may be waiting.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queues.iter().all(|(_, queue)| queue.is_idle())
    }

    /// For each controller its name, the keys that are ready, and the timers.
    #[must_use]
    pub fn depths(&self) -> Vec<(&'static str, usize, usize)> {
        let depth = |(name, queue): &(&'static str, Arc<Queue>)| {
            let (ready, timers) = queue.depth();
            (*name, ready, timers)
        };
        self.queues.iter().map(depth).collect()
    }
}
