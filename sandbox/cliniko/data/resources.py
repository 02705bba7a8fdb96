"""The resources of the API: their filterable fields and their links to other records.

Reference: docs.api.cliniko.com, the "Filtering" part of each resource.
"""

from dataclasses import dataclass, field, replace

BOOKINGS = ("individual_appointments", "group_appointments")  # both are bookings and share one id sequence
COLUMNS = ("id", "created_at", "updated_at", "archived_at", "cancelled_at", "deleted_at", "patient_id")


@dataclass(frozen=True)
class Field:
    """A field for filtering and sorting lists."""

    name: str
    kind: str  # datetime, date, integer, string or boolean

    @property
    def sql(self) -> str:
        if self.name in COLUMNS:
            return self.name
        if self.kind == "integer":
            return f"CAST(json_extract(body, '$.{self.name.removesuffix('_id')}') AS INTEGER)"
        return f"json_extract(body, '$.{self.name}')"


@dataclass(frozen=True)
class Resource:
    name: str
    fields: dict[str, Field]
    stamps: tuple[str, ...] = ()  # which of archived_at, cancelled_at and deleted_at it shows
    links: dict[str, str] = field(default_factory=dict)  # field -> resource it links to
    within: dict[str, str] = field(default_factory=dict)  # nested resource -> its field for the parent record
    people: bool = False  # inactive ones have a list of their own

    @property
    def subsets(self) -> set[str]:
        """The names of the secondary lists: archived, cancelled, deleted, inactive."""
        return {stamp.removesuffix("_at") for stamp in self.stamps} | ({"inactive"} if self.people else set())

    def older(self) -> "Resource":
        """Return the resource as the older API has it, without filters for archived_at and cancelled_at."""
        remaining = {name: each for name, each in self.fields.items() if name not in ("archived_at", "cancelled_at")}
        return replace(self, fields=remaining)


def fields(**kinds: str) -> dict[str, Field]:
    common = {"id": "integer", "created_at": "datetime", "updated_at": "datetime"}
    return {name: Field(name, kind) for name, kind in {**common, **kinds}.items()}


RESOURCES = {
    resource.name: resource
    for resource in (
        Resource(
            "patients",
            fields(
                date_of_birth="date",
                email="string",
                first_name="string",
                last_name="string",
                old_reference_id="string",
                archived_at="datetime",
            ),
            stamps=("archived_at", "deleted_at"),
            links={
                "merged_with_patient": "patients",
                "concession_type": "concession_types",
                "referring_doctor": "contacts",
            },
            within={"medical_alerts": "patient_id"},
        ),
        Resource(
            "medical_alerts",
            fields(patient_id="integer", archived_at="datetime"),
            stamps=("archived_at", "deleted_at"),
            links={"patient": "patients"},
        ),
        Resource(
            "individual_appointments",
            fields(
                appointment_type_id="integer",
                archived_at="datetime",
                business_id="integer",
                cancelled_at="datetime",
                ends_at="datetime",
                patient_id="integer",
                practitioner_id="integer",
                starts_at="datetime",
            ),
            stamps=("archived_at", "cancelled_at", "deleted_at"),
            links={
                "patient": "patients",
                "practitioner": "practitioners",
                "business": "businesses",
                "appointment_type": "appointment_types",
            },
        ),
        Resource(
            "group_appointments",
            fields(
                appointment_type_id="integer",
                archived_at="datetime",
                business_id="integer",
                ends_at="datetime",
                practitioner_id="integer",
                starts_at="datetime",
            ),
            stamps=("archived_at", "deleted_at"),
            links={
                "practitioner": "practitioners",
                "business": "businesses",
                "appointment_type": "appointment_types",
            },
            within={"attendees": "booking_id"},
        ),
        Resource(
            "attendees",
            fields(booking_id="integer", cancelled_at="datetime", patient_id="integer"),
            stamps=("cancelled_at", "deleted_at"),
            links={"booking": "bookings", "patient": "patients"},
        ),
        Resource("practitioners", fields(), links={"user": "users"}, people=True),
        Resource("businesses", fields(archived_at="datetime"), stamps=("archived_at",)),
        Resource("appointment_types", fields(archived_at="datetime"), stamps=("archived_at",)),
        Resource("users", fields()),
        Resource("invoices", fields(archived_at="datetime", patient_id="integer"), stamps=("archived_at",)),
    )
}
OLDER_RESOURCES = {name: resource.older() for name, resource in RESOURCES.items()}
