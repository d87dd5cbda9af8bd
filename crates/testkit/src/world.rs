//! One simulated world: server, controllers and node in one thread, on paused time, from one seed.
//! Time passes only while everybody waits, so an hour's timeout costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::{Client, Cluster, Dynamic, ResourceType};
use controllers::Clock;
use serde_json::Value;
use tokio::time::Instant;

use crate::checks::{self, Stored};
use crate::clock::SimulatedClock;
use crate::fake_node::FakeNode;
use crate::faults::{Faults, Faulty, Odds};
use crate::parts::Server;

/// How often the world is looked at while waiting, in simulated time.
const LOOK: Duration = Duration::from_millis(500);
/// Nothing may take longer, in simulated time.
const PATIENCE: Duration = Duration::from_secs(3 * 60 * 60);

/// A world.
pub struct World {
    /// The seed that it follows from.
    pub seed: u64,
    /// A client on which nothing goes wrong.
    pub client: Client,
    /// What goes wrong for the controllers.
    pub faults: Faults,
    /// The node.
    pub node: FakeNode,
    clock: Arc<dyn Clock>,
    server: Server,
    controllers: Option<controllers::Handle>,
    dice: fastrand::Rng,
    ended: BTreeMap<String, (String, Value)>,
    /// Objects that the test made and did not delete: they must exist.
    made: BTreeMap<String, String>,
}

/// Runs a story in a world of its own. A panic in it names the seed.
///
/// # Panics
/// When the story or a checker does.
pub fn simulate(seed: u64, odds: Odds, story: impl AsyncFnOnce(World) -> World) {
    eprintln!("seed {seed}");
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime can be built").block_on(async {
        let world = World::new(seed, odds);
        let world = story(world).await;
        world.end().await;
    });
}

impl World {
    fn new(seed: u64, odds: Odds) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SimulatedClock::begin());
        let server = Server::new(Arc::clone(&clock), seed);
        let client = Client::new(Arc::new(server.transport()));
        let node = FakeNode::start(client.clone(), Arc::clone(&clock));
        let mut world = Self {
            seed,
            client,
            faults: Faults::new(seed, odds),
            node,
            clock,
            server,
            controllers: None,
            dice: fastrand::Rng::with_seed(seed ^ 0x5eed),
            ended: BTreeMap::new(),
            made: BTreeMap::new(),
        };
        world.start_controllers();
        world
    }

    /// Starts the controllers, after a crash or at the beginning.
    pub fn start_controllers(&mut self) {
        let transport = Faulty { inner: self.server.transport(), faults: self.faults.clone() };
        let mut options = controllers::Options::new(Client::new(Arc::new(transport)));
        options.clock = Arc::clone(&self.clock);
        options.workers = 4;
        self.controllers = Some(controllers::Service::new(options).start());
    }

    /// Ends the controllers in the middle of whatever they do, and starts new ones.
    pub fn crash_controllers(&mut self) {
        self.controllers = None;
        self.start_controllers();
    }

    /// A number below `below`, from the world's seed.
    pub fn draw(&mut self, below: u64) -> u64 {
        self.dice.u64(..below)
    }

    /// Lets simulated time pass.
    pub async fn pass(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
        self.check().await;
    }

    /// Creates the objects of a YAML text in a cluster, in namespace `default` where they name none.
    ///
    /// # Panics
    /// When one is refused: the test's own mistake.
    pub async fn apply(&mut self, cluster: &str, yaml: &str) {
        let objects: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("the test's YAML can be read");
        for object in objects.into_iter().filter(|object| !object.is_null()) {
            let created = self.create(cluster, object).await;
            let uid = created["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            let name = created["metadata"]["name"].to_string();
            self.made.insert(uid, format!("{cluster} {} {name}", created["kind"]));
        }
    }

    async fn create(&self, cluster: &str, object: Value) -> Value {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let namespace = match text("/metadata/namespace") {
            "" => "default",
            namespace => namespace,
        };
        let api = self.api(cluster, text("/kind"), text("/apiVersion"), namespace);
        let shown = object.to_string();
        match api.create(&Dynamic(object)).await {
            Ok(Dynamic(created)) => created,
            Err(error) => panic!("{shown}: {error}"),
        }
    }

    /// Objects of a kind in a namespace.
    ///
    /// # Panics
    /// When the kind is not served.
    #[must_use]
    pub fn api(&self, cluster: &str, kind: &str, api_version: &str, namespace: &str) -> client::Api<Dynamic> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let row = api::resources().iter().find(|row| row.kind == kind && row.group == group);
        let row = row.unwrap_or_else(|| panic!("{api_version} {kind} is not served"));
        let namespace = row.namespaced.then_some(namespace);
        self.cluster(cluster).resource(ResourceType::new(group, version, row.plural), namespace)
    }

    /// A cluster, by path or id.
    #[must_use]
    pub fn cluster(&self, cluster: &str) -> Cluster {
        self.client.cluster(cluster)
    }

    /// A run in namespace `default`; `kind` is `TaskRun` or `PipelineRun`.
    ///
    /// # Panics
    /// When there is none.
    pub async fn run(&self, cluster: &str, kind: &str, name: &str) -> Value {
        let api = self.api(cluster, kind, "tekton.dev/v1", "default");
        api.get(name).await.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed)).0
    }

    /// Forgets that an object must exist: it is being deleted.
    pub fn forget(&mut self, uid: &str) {
        self.made.remove(uid);
    }

    /// Waits until a run has ended, checking at each look, and returns it.
    ///
    /// # Panics
    /// When it does not end in three simulated hours, or a check fails.
    pub async fn ended(&mut self, cluster: &str, kind: &str, name: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let run = self.run(cluster, kind, name).await;
            if run.pointer("/status/completionTime").is_some() {
                return run;
            }
            let depths = self.controllers.as_ref().map(controllers::Handle::depths);
            assert!(
                Instant::now() < deadline,
                "seed {}: {kind} {name} does not end: {run:#} {depths:?}",
                self.seed
            );
            self.pass(LOOK).await;
        }
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// When it is not so after three simulated hours, or a check fails.
    pub async fn until(&mut self, what: &str, mut so: impl AsyncFnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !so(self).await {
            assert!(Instant::now() < deadline, "seed {}: never {what}", self.seed);
            self.pass(LOOK).await;
        }
    }

    /// Everything that is stored, as `resource cluster|namespace/name`.
    pub async fn stored(&self) -> Vec<String> {
        checks::read_all(&*self.server.store).await.iter().map(Stored::place).collect()
    }

    /// The reason of a run's condition `Succeeded`, with its status: `True Succeeded`.
    #[must_use]
    pub fn verdict(run: &Value) -> String {
        let condition = &run["status"]["conditions"][0];
        format!("{} {}", text(&condition["status"]), text(&condition["reason"]))
    }

    async fn check(&mut self) {
        let all = checks::read_all(&*self.server.store).await;
        let mut wrong = checks::always(&all);
        let ended = checks::final_statuses(&all);
        for (uid, (place, before)) in &self.ended {
            if ended.get(uid).is_some_and(|(_, now)| now != before) {
                wrong.push(format!("{place} changed after its end"));
            }
        }
        self.ended.extend(ended);
        let uids: Vec<&str> = all.iter().map(|object| object.text("/metadata/uid")).collect();
        let lost = self.made.iter().filter(|(uid, _)| !uids.contains(&uid.as_str()));
        wrong.extend(lost.map(|(_, what)| format!("{what} was acknowledged and is lost")));
        wrong.extend(self.node.begun_twice().into_iter().map(|step| format!("{step} was begun twice")));
        assert!(wrong.is_empty(), "seed {}: {wrong:#?}", self.seed);
    }

    /// The revision of the newest object but Events: what a repeated reconcile must not move.
    pub async fn newest(&self) -> u64 {
        let all = checks::read_all(&*self.server.store).await;
        let counted = all.iter().filter(|object| !object.resource.ends_with("/events"));
        counted.map(|object| object.revision).max().unwrap_or(0)
    }

    /// Restarts the controllers while nothing goes wrong, and checks that they find nothing to do.
    ///
    /// # Panics
    /// When they write something.
    pub async fn expect_nothing_to_do(&mut self) {
        self.faults.set_calm(true);
        self.pass(Duration::from_secs(30)).await;
        let before = (self.newest().await, self.stored().await.len());
        self.crash_controllers();
        self.pass(Duration::from_secs(20)).await;
        let after = (self.newest().await, self.stored().await.len());
        assert_eq!(before, after, "seed {}: a repeated reconcile changed something", self.seed);
        self.faults.set_calm(false);
    }

    async fn end(mut self) {
        self.expect_nothing_to_do().await;
        let all = checks::read_all(&*self.server.store).await;
        let wrong = checks::settled(&all);
        assert!(wrong.is_empty(), "seed {}: {wrong:#?}", self.seed);
        let idle = self.controllers.as_ref().is_some_and(controllers::Handle::is_idle);
        assert!(idle, "seed {}: a controller is still busy", self.seed);
        if let Some(controllers) = self.controllers.take() {
            controllers.stop(Duration::from_secs(10)).await;
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
