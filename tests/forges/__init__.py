"""Forges for tests: their HTTP APIs over a real repository, strict about what the published documents allow.

Of each operation that is used here, the parameters and the body stand as the documents have them:

- GitHub: ``descriptions/api.github.com/api.github.com.json`` of github/rest-api-description (version 2022-11-28)
- GitLab: ``doc/api/openapi/openapi_v2.yaml`` and ``lib/api/merge_requests.rb``, ``notes.rb``, ``commit_statuses.rb``
- Gitea: ``templates/swagger/v1_json.tmpl``, which Forgejo shares

What a document does not allow is refused with 422, and kept in ``mistakes``.
"""
