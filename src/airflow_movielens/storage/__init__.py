"""Files that tasks read and write, local or on object storage.

- ``files``: one path, whatever it is: check it, write it, or copy it to this machine.
- ``copy_limit``: how much may be copied to this machine.
- ``object_store``: objects by their URLs, and their errors.
- ``object_output``: a file on object storage as output.
- ``object_parts``: the parts of a fetch to object storage.
- ``s3``: the requests to S3 for which fsspec has no method.
- ``s3_output``: a file on S3 as output, by conditional writes.
- ``inputs``: paths, globs, folders of part files and manifests as a list of files to read.
- ``input_facts``: the checksums, windows and numbers of ratings of these files.
- ``rank``: these files ranked in this process.
- ``train``: a model trained on these files.
- ``evaluate``: models evaluated on these files.
- ``recommend``: recommendations to all users of these files.
- ``catalogue/``: what tasks did with the files of a data root, for those who look.
- ``spark``: a session on a Spark cluster, and the URLs by which Spark reads files.
"""
