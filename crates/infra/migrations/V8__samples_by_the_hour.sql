-- What was measured, by the hour, for planning: kept for years, when the samples themselves are long gone.
CREATE TABLE scaling_hours (
    series text NOT NULL,
    hour timestamptz NOT NULL,
    mean double precision NOT NULL,
    most double precision NOT NULL,
    samples bigint NOT NULL CHECK (samples > 0),
    PRIMARY KEY (series, hour)
);
GRANT SELECT, INSERT, DELETE ON scaling_hours TO hysio_app;
