"""Neutron's refusals, with its types and words."""

from twin.core.errors import ApiError


def refused(status: int, kind: str, message: str) -> ApiError:
    """`{"NeutronError": {"type", "message", "detail"}}`."""
    return ApiError(status, message, kind)


def bad_request(message: str) -> ApiError:
    """An attribute that the API layer refuses."""
    return ApiError(400, message, "HTTPBadRequest")


def bad_input(attribute: str, reason: str) -> ApiError:
    """A value that the attribute's validator refuses."""
    return bad_request(f"Invalid input for {attribute}. Reason: {reason}")


def disallowed(rule: str) -> ApiError:
    """Policy says no."""
    return ApiError(403, f"{rule} is disallowed by policy", "PolicyNotAuthorized")


def over_quota(resource: str) -> ApiError:
    """Quotas are enforced on create."""
    return ApiError(409, f"Quota exceeded for resources: ['{resource}'].", "OverQuota")
