//! The transcription service (:8080): the OpenAI-compatible `POST /v1/audio/transcriptions`.
