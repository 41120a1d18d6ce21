"""The demo's site: real pages served over real HTTP/1.1 on loopback, by several hosts with habits of their own.

`python -m pipelines.demo_site --port 0` prints its port and serves until its standard input closes.
"""
