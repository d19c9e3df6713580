"""Manila and Cinder, as storage sees them: values in, values out, no access key ever."""

from storage.cloud.door import StorageCloud

__all__ = ["StorageCloud"]
