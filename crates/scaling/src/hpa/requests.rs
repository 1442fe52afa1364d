//! What a pod asks for of one resource.

use std::collections::BTreeMap;

/// Requests in thousandths by resource name.
pub type Requests = BTreeMap<String, i64>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub name: String,
    pub requests: Requests,
}

/// The containers of a pod, as far as its requests go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRequests {
    pub name: String,
    pub containers: Vec<Container>,
    /// Init containers in their order, and whether each restarts always, which makes it a sidecar.
    pub init_containers: Vec<(Container, bool)>,
    /// `spec.resources.requests` of the pod itself.
    pub pod_level: Requests,
}

impl PodRequests {
    /// The request that use of `resource` is held against: the named container's; or the pod's own where it has any and
    /// they are `pod_level_enabled`; else the sum of its containers and sidecars.
    ///
    /// # Errors
    /// A container without that request, or no container of that name.
    pub fn of(
        &self,
        resource: &str,
        container: Option<&str>,
        pod_level_enabled: bool,
    ) -> Result<i64, String> {
        match container {
            Some(container) => self.of_container(resource, container),
            None if pod_level_enabled && !self.pod_level.is_empty() => {
                self.of_pod_level(resource).ok_or_else(|| {
                    format!(
                        "missing pod-level request for {resource} in Pod {}",
                        self.name
                    )
                })
            }
            None => self
                .lasting_containers()
                .map(|container| self.of_one(resource, container))
                .sum(),
        }
    }

    fn of_container(&self, resource: &str, name: &str) -> Result<i64, String> {
        self.lasting_containers()
            .find(|container| container.name == name)
            .ok_or_else(|| format!("container {name} not found in Pod {}", self.name))
            .and_then(|container| self.of_one(resource, container))
    }

    /// A resource that the pod itself doesn't name falls back to what its containers need at their peak.
    fn of_pod_level(&self, resource: &str) -> Option<i64> {
        self.pod_level
            .get(resource)
            .copied()
            .or_else(|| self.peak(resource))
    }

    fn peak(&self, resource: &str) -> Option<i64> {
        let request = |container: &Container| container.requests.get(resource).copied();
        let mut known = self.containers.iter().any(|one| request(one).is_some());
        let mut lasting: i64 = self.containers.iter().filter_map(request).sum();
        let (mut sidecars, mut starting) = (0, 0);
        for (container, is_sidecar) in &self.init_containers {
            let Some(amount) = request(container) else {
                continue;
            };
            known = true;
            if *is_sidecar {
                sidecars += amount;
                lasting += amount;
                starting = starting.max(sidecars);
            } else {
                starting = starting.max(sidecars + amount);
            }
        }
        known.then_some(lasting.max(starting))
    }

    fn of_one(&self, resource: &str, container: &Container) -> Result<i64, String> {
        container.requests.get(resource).copied().ok_or_else(|| {
            format!(
                "missing request for {resource} in container {} of Pod {}",
                container.name, self.name
            )
        })
    }

    /// Containers that run as long as the pod does.
    fn lasting_containers(&self) -> impl Iterator<Item = &Container> {
        let sidecars = self
            .init_containers
            .iter()
            .filter(|(_, is_sidecar)| *is_sidecar)
            .map(|(container, _)| container);
        self.containers.iter().chain(sidecars)
    }
}
