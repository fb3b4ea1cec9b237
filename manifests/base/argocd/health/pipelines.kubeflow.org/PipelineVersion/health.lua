-- Kubeflow's webhook checks a PipelineVersion when it is made, and makes it a part of its Pipeline. Without that owner,
-- Kubeflow does not list it, and no run can name it. A status is there only if Kubeflow itself has made or deletes it.
local owned = false
for _, owner in ipairs(obj.metadata.ownerReferences or {}) do
  owned = owned or owner.kind == "Pipeline"
end
if not owned then
  return {
    status = "Degraded",
    message = "Kubeflow's webhook has not seen it: install the webhook (Kubeflow's Kubernetes-native mode), "
      .. "then delete this resource, which is made again",
  }
end

for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "PipelineVersionStatus" and condition.reason ~= "READY" then
    return { status = "Progressing", message = "Kubeflow says " .. condition.reason }
  end
end
return { status = "Healthy", message = "Runs can name it" }
