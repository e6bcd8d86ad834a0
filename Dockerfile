# syntax=docker/dockerfile:1

# The image is the static binary, the roots of trust, and a folder for data: no
# shell, no package, nothing else to keep up to date. The binary repeats bit for
# bit from a commit, whatever this image of Go is; who wants the whole image to
# repeat names it by digest (--build-arg GO_IMAGE=golang@sha256:…) and sets
# SOURCE_DATE_EPOCH.
ARG GO_IMAGE=golang:1.26.8-bookworm

# The build runs on the builder's own kind of machine, whatever it builds for.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN GOOS=${TARGETOS} GOARCH=${TARGETARCH} scripts/build-static /out/ridecopilot && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ridecopilot /ridecopilot
COPY --from=build --chown=65532:65532 /out/data /data
ENV ADDR=0.0.0.0:8000 DATA_DIR=/data
# The one folder that is written to: the root may be read-only.
WORKDIR /data
VOLUME /data
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/ridecopilot", "healthcheck"]
ENTRYPOINT ["/ridecopilot"]
CMD ["serve"]
