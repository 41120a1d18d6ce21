"""The video job: films and their subtitles to deduplicated clips with frames, sound and words on one time line."""
