"""Signed bundles: who made a bundle, out of what, and whether that can be believed.

::

    home_key ── keys ──▶ signer ──▶ model.sig               OpenSSF Model Signing: the files under the digest
    (keys/, or a mounted      ├───▶ provenance.intoto.jsonl in-toto: run, tables, code, and the sidecar's digest
     secret)                  │
                              └── envelope: DSSE, signed by ECDSA
    trust (keys that are accepted) ──▶ verification ──▶ service, promotion, `rankloop verify-bundle`

The formats are those of the model-signing library. They are written and read here by their parts, because the library
brings a client of Sigstore, a second of imports and twenty packages; a test holds the two equal.
"""
