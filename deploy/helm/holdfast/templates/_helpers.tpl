{{- define "holdfast.name" -}}
{{ printf "%s-%s" .root.Release.Name .part | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "holdfast.selector" -}}
app.kubernetes.io/name: holdfast
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "holdfast.match" -}}
{{ include "holdfast.selector" . | fromYaml | toJson }}
{{- end }}

{{- define "holdfast.labels" -}}
{{ include "holdfast.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "holdfast.image" -}}
{{ required "image.repository: name the registry with the platform's image" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "holdfast.triton" -}}
{{- if .Values.triton.enabled -}}
{{ include "holdfast.name" (dict "root" . "part" "triton") }}:8001
{{- else -}}
{{ required "triton.address: name a Triton server, or enable the chart's" .Values.triton.address }}
{{- end -}}
{{- end }}

{{/* Files of the Secret by the keys in it: those that all processes have, and those of the API. */}}
{{- define "holdfast.files" -}}
{{- $files := list "catalog-url" "payload-keys" -}}
{{- if .root.Values.secret.milvusToken }}{{ $files = append $files "milvus-token" }}{{ end -}}
{{- if .root.Values.monitoring.enabled }}{{ $files = append $files "metrics-token" }}{{ end -}}
{{- if eq .part "api" -}}
{{- $files = concat $files (list "audit-key" "token-keys") -}}
{{- if .root.Values.secret.oidcClientSecret }}{{ $files = append $files "oidc-client-secret" }}{{ end -}}
{{- end -}}
{{ toJson $files }}
{{- end }}

{{/* Variables of the platform's processes. */}}
{{- define "holdfast.environment" -}}
{{- $values := .root.Values -}}
{{- $secrets := "/run/secrets/holdfast" -}}
{{- $named := dict
  "HOLDFAST_TEMPORAL_ADDRESS" (required "temporal.address: name Temporal's frontend, host:port" $values.temporal.address)
  "HOLDFAST_TEMPORAL_NAMESPACE" $values.temporal.namespace
  "HOLDFAST_TRITON_ADDRESS" (include "holdfast.triton" .root)
  "HOLDFAST_MILVUS_URI" (required "milvus.uri: name Milvus, http(s)://host:port" $values.milvus.uri)
  "HOLDFAST_BLOBS_URL" (required "blobs.url: name the object store, s3://bucket/prefix" $values.blobs.url)
  "HOLDFAST_CATALOG_URL_FILE" (printf "%s/catalog-url" $secrets)
  "HOLDFAST_PAYLOAD_KEYS" (printf "%s/payload-keys" $secrets)
  "HOLDFAST_LOG_FORMAT" "json"
-}}
{{- if $values.autoscaling.enabled }}{{ $_ := set $named "HOLDFAST_API_BATCH_PARALLELISM" "64" }}{{ end -}}
{{- if gt (int $values.triton.gpus) 0 }}{{ $_ := set $named "HOLDFAST_EMBED_REQUESTS_IN_FLIGHT" "8" }}{{ end -}}
{{- with $values.temporal.uiUrl }}{{ $_ := set $named "HOLDFAST_TEMPORAL_UI_URL" . }}{{ end -}}
{{- $ingress := $values.api.ingress -}}
{{- with $values.publicUrl | default ($ingress.enabled | ternary (printf "https://%s" $ingress.host) "") }}{{ $_ := set $named "HOLDFAST_PUBLIC_URL" . }}{{ end -}}
{{- if $values.secret.milvusToken }}{{ $_ := set $named "HOLDFAST_MILVUS_TOKEN_FILE" (printf "%s/milvus-token" $secrets) }}{{ end -}}
{{- if $values.monitoring.enabled -}}
{{- $_ := set $named "HOLDFAST_METRICS_TOKEN_FILE" (printf "%s/metrics-token" $secrets) -}}
{{- $_ := set $named "HOLDFAST_METRICS_HOST" "0.0.0.0" -}}
{{- $_ := set $named "HOLDFAST_METRICS_PORT" "9100" -}}
{{- end -}}
{{- if eq .part "api" -}}
{{- $_ := set $named "HOLDFAST_API_HOST" "0.0.0.0" -}}
{{- $_ := set $named "HOLDFAST_API_PORT" "8700" -}}
{{- $_ := set $named "HOLDFAST_AUDIT_KEY" (printf "%s/audit-key" $secrets) -}}
{{- if $values.secret.oidcClientSecret }}{{ $_ := set $named "HOLDFAST_OIDC_CLIENT_SECRET_FILE" (printf "%s/oidc-client-secret" $secrets) }}{{ end -}}
{{- end -}}
{{- range $name, $value := merge (dict) $values.settings $values.variables $named }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- range $values.secret.variables }}
- name: {{ . }}
  valueFrom: { secretKeyRef: { name: {{ $values.secret.name }}, key: {{ . }} } }
{{- end }}
{{- end }}

{{/* What every pod has. */}}
{{- define "holdfast.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with concat .root.Values.tolerations (.tolerations | default list) }}
tolerations: {{ toJson . }}
{{- end }}
{{- end }}

{{- define "holdfast.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: { matchLabels: {{ include "holdfast.match" . }} }
{{- end }}

{{- define "holdfast.container-security" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: { drop: [ALL] }
  readOnlyRootFilesystem: {{ .readOnly }}
{{- end }}

{{/* Mounts and volumes of the platform's containers. */}}
{{- define "holdfast.mounts" -}}
- { name: tmp, mountPath: /tmp }
- { name: secrets, mountPath: /run/secrets/holdfast, readOnly: true }
{{- end }}

{{- define "holdfast.volumes" -}}
- name: tmp # uploads and unpacked archives
  emptyDir: {}
- name: secrets
  secret:
    secretName: {{ .root.Values.secret.name }}
    defaultMode: 0440
    items:
      {{- range fromJsonArray (include "holdfast.files" .) }}
      - { key: {{ . }}, path: {{ . }} }
      {{- end }}
{{- end }}
