"""All fields of a patient by type, for peers that need a schema."""

TIMESTAMPS = "created_at updated_at archived_at deleted_at merged_at".split()
TEXTS = (
    "id title first_name last_name preferred_first_name label date_of_birth sex gender gender_identity pronouns email "
    "address_1 address_2 address_3 city state post_code country country_code time_zone emergency_contact occupation "
    "referral_source reminder_type notes appointment_notes medicare medicare_reference_number dva_card_number "
    "old_reference_id invoice_default_to invoice_email invoice_extra_information"
).split()
BOOLEANS = (
    "accepted_privacy_policy accepted_email_marketing accepted_sms_marketing receives_confirmation_emails"
).split()
OBJECTS = "custom_fields merged_with_patient concession_type referring_doctor medical_alerts links".split()
LISTS = ["patient_phone_numbers"]
