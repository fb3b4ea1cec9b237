"""The part of the acceptance that goes through Git: where Argo CD and Argo Rollouts are present."""
