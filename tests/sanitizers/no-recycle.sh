#!/bin/sh
# The compiler, told that each task is to have an allocation of its own, as tools that watch the allocator need it.
exec "$@" --cfg=cenote_no_recycle
