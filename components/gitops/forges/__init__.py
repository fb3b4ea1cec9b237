"""Pull requests where they are kept: GitHub, GitLab, Gitea and Forgejo, over their HTTP APIs."""
